//! The VFS that SQLite calls: C functions that turn pointers into slices and results into codes, and nothing else.
//!
//! The time is constant, sleeping returns at once, and there is no xFetch, so files are never mapped. SQLite's own
//! random numbers come from the system's VFS, and are used only for salts.
//! numbers come from the VFS of the system; they only make salts.
#![expect(unsafe_code, reason = "SQLite's VFS is an interface of C")]

use std::{
    ffi::{CStr, OsStr, c_char, c_int, c_void},
    os::unix::ffi::OsStrExt as _,
    path::Path,
    ptr, slice,
    sync::Once,
};

use libsqlite3_sys as ffi;

use super::file::{self, OpenFile};

/// The name of the VFS.
pub(super) const NAME: &str = "orderflow-simulated";
const C_NAME: &CStr = c"orderflow-simulated";

/// The start of 2026 in SQLite's time: milliseconds of the Julian day number.
const NOW_MS: i64 = 211_633_862_400_000;
const PATH_BYTES_MAX: usize = 512;

/// SQLite's file structure, followed by a pointer to our file.
#[repr(C)]
struct Handle {
    base: ffi::sqlite3_file,
    open: *mut OpenFile,
}

/// Registers the VFS with SQLite, once.
pub(super) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let vfs = Box::new(ffi::sqlite3_vfs {
            iVersion: 2,
            szOsFile: size_of::<Handle>() as c_int,
            mxPathname: PATH_BYTES_MAX as c_int,
            pNext: ptr::null_mut(),
            zName: C_NAME.as_ptr(),
            pAppData: ptr::null_mut(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: Some(current_time),
            xGetLastError: None,
            xCurrentTimeInt64: Some(current_time_ms),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        });
        // SAFETY: the VFS is never freed, and neither are its functions and its name.
        let code = unsafe { ffi::sqlite3_vfs_register(Box::into_raw(vfs), 0) };
        assert_eq!(code, ffi::SQLITE_OK, "SQLite takes any number of VFS");
    });
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

fn code(result: Result<(), c_int>) -> c_int {
    result.err().unwrap_or(ffi::SQLITE_OK)
}

/// The path in a name of SQLite.
///
/// # Safety
/// The name ends with a zero byte and outlives the returned path.
unsafe fn path<'a>(name: *const c_char) -> Option<&'a Path> {
    // SAFETY: the caller's promise.
    let name = (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) })?;
    Some(Path::new(OsStr::from_bytes(name.to_bytes())))
}

/// Our file behind SQLite's.
///
/// # Safety
/// [`open`] has opened it, [`close`] has not closed it, and one thread at a time uses it, as SQLite promises.
unsafe fn file<'a>(file: *mut ffi::sqlite3_file) -> &'a mut OpenFile {
    // SAFETY: `open` has put a box there, and the caller guarantees the rest.
    unsafe { &mut *(*file.cast::<Handle>()).open }
}

unsafe extern "C" fn open(
    _vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    handle: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    let handle = handle.cast::<Handle>();
    // SAFETY: SQLite gives room for a `Handle`, as `szOsFile` says. Without methods it does not call close.
    unsafe { (*handle).base.pMethods = ptr::null() };
    // SAFETY: a name that SQLite gives is null or a C string.
    let Some(path) = (unsafe { path(name) }) else {
        return ffi::SQLITE_CANTOPEN;
    };
    match OpenFile::open(path, flags) {
        Err(code) => code,
        Ok(open) => {
            // SAFETY: as above; `flags_out` is null or has room for the flags.
            unsafe {
                (*handle).open = Box::into_raw(Box::new(open));
                (*handle).base.pMethods = &METHODS;
                if let Some(out) = flags_out.as_mut() {
                    *out = flags;
                }
            }
            ffi::SQLITE_OK
        }
    }
}

unsafe extern "C" fn close(handle: *mut ffi::sqlite3_file) -> c_int {
    let handle = handle.cast::<Handle>();
    // SAFETY: `open` has put the box there, and SQLite closes once.
    drop(unsafe { Box::from_raw((*handle).open) });
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    handle: *mut ffi::sqlite3_file,
    to: *mut c_void,
    bytes: c_int,
    position: i64,
) -> c_int {
    // SAFETY: SQLite gives an open file and space for this many bytes.
    let (file, buffer) =
        unsafe { (file(handle), slice::from_raw_parts_mut(to.cast::<u8>(), bytes as usize)) };
    code(file.read(buffer, position as u64))
}

unsafe extern "C" fn write(
    handle: *mut ffi::sqlite3_file,
    from: *const c_void,
    bytes: c_int,
    position: i64,
) -> c_int {
    // SAFETY: SQLite gives an open file and this many bytes.
    let (file, bytes) = unsafe { (file(handle), slice::from_raw_parts(from.cast::<u8>(), bytes as usize)) };
    code(file.write(bytes, position as u64))
}

unsafe extern "C" fn truncate(handle: *mut ffi::sqlite3_file, length: i64) -> c_int {
    // SAFETY: SQLite gives an open file.
    code(unsafe { file(handle) }.truncate(length as u64))
}

unsafe extern "C" fn sync(handle: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: SQLite gives an open file.
    code(unsafe { file(handle) }.sync())
}

unsafe extern "C" fn file_size(handle: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    // SAFETY: SQLite gives an open file.
    let result = unsafe { file(handle) }.size();
    // SAFETY: SQLite gives room for the size.
    code(result.map(|bytes| unsafe { *size = bytes as i64 }))
}

unsafe extern "C" fn lock(handle: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite gives an open file.
    code(unsafe { file(handle) }.lock(level))
}

unsafe extern "C" fn unlock(handle: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite gives an open file.
    unsafe { file(handle) }.unlock(level);
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(handle: *mut ffi::sqlite3_file, out: *mut c_int) -> c_int {
    // SAFETY: SQLite gives an open file.
    let result = unsafe { file(handle) }.is_reserved();
    // SAFETY: SQLite gives room for the answer.
    code(result.map(|reserved| unsafe { *out = c_int::from(reserved) }))
}

unsafe extern "C" fn file_control(_: *mut ffi::sqlite3_file, _operation: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    // The same value as in SQLite's own VFS for Unix, for any disk.
    4096
}

unsafe extern "C" fn device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn shm_map(
    handle: *mut ffi::sqlite3_file,
    region: c_int,
    bytes: c_int,
    extend: c_int,
    out: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite gives an open file.
    let result = unsafe { file(handle) }.map(region as usize, bytes as usize, extend != 0);
    // SAFETY: SQLite gives room for the address.
    code(result.map(|address| unsafe { *out = address }))
}

unsafe extern "C" fn shm_lock(
    handle: *mut ffi::sqlite3_file,
    first: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: SQLite gives an open file.
    code(unsafe { file(handle) }.lock_memory(first as usize..(first + count) as usize, flags))
}

unsafe extern "C" fn shm_barrier(_: *mut ffi::sqlite3_file) {
    std::sync::atomic::fence(std::sync::atomic::Ordering::SeqCst);
}

unsafe extern "C" fn shm_unmap(handle: *mut ffi::sqlite3_file, _delete: c_int) -> c_int {
    // SAFETY: SQLite gives an open file.
    unsafe { file(handle) }.unmap();
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(_: *mut ffi::sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: a name that SQLite gives is a C string.
    let path = unsafe { path(name) };
    path.map_or(ffi::SQLITE_IOERR_DELETE, |path| code(file::delete(path, sync_folder != 0)))
}

unsafe extern "C" fn access(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _flags: c_int,
    out: *mut c_int,
) -> c_int {
    // SAFETY: a name that SQLite gives is a C string.
    let path = unsafe { path(name) };
    let result = path.ok_or(ffi::SQLITE_IOERR_ACCESS).and_then(file::exists);
    // SAFETY: SQLite gives room for the answer.
    code(result.map(|exists| unsafe { *out = c_int::from(exists) }))
}

unsafe extern "C" fn full_pathname(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    out: *mut c_char,
) -> c_int {
    // SAFETY: a name that SQLite gives is a C string.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    if name.len() > room as usize {
        return ffi::SQLITE_CANTOPEN;
    }
    // SAFETY: the check above ensures enough space, and the two do not overlap.
    unsafe { ptr::copy_nonoverlapping(name.as_ptr(), out.cast(), name.len()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn randomness(_: *mut ffi::sqlite3_vfs, bytes: c_int, out: *mut c_char) -> c_int {
    // SAFETY: SQLite gives space for this many bytes.
    unsafe { ptr::write_bytes(out, 7, bytes as usize) };
    bytes
}

unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    microseconds
}

unsafe extern "C" fn current_time(_: *mut ffi::sqlite3_vfs, out: *mut f64) -> c_int {
    // SAFETY: SQLite gives room for the time.
    unsafe { *out = NOW_MS as f64 / 86_400_000.0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time_ms(_: *mut ffi::sqlite3_vfs, out: *mut i64) -> c_int {
    // SAFETY: SQLite gives room for the time.
    unsafe { *out = NOW_MS };
    ffi::SQLITE_OK
}
