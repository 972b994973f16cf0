//! What the connections to one open database file share: its locks, and the shared memory of the WAL.

use std::{
    cell::UnsafeCell,
    ffi::{c_int, c_void},
};

use libsqlite3_sys::{
    SQLITE_LOCK_EXCLUSIVE, SQLITE_LOCK_NONE, SQLITE_LOCK_PENDING, SQLITE_LOCK_RESERVED, SQLITE_LOCK_SHARED,
    SQLITE_SHM_NLOCK,
};

/// The locks of a file, as in SQLite: many connections share, and one of them may prepare to write and then write
/// alone.
#[derive(Debug, Default)]
pub(super) struct FileLocks {
    shared: usize,
    /// The highest level above shared that a connection holds.
    above: c_int,
}

impl FileLocks {
    /// Raises one connection's level. Returns `false` if other connections prevent it. As in SQLite, a refused
    /// exclusive lock stays pending.
    pub fn raise(&mut self, held: &mut c_int, wanted: c_int) -> bool {
        if *held >= wanted {
            return true;
        }
        if *held == SQLITE_LOCK_NONE {
            if self.above >= SQLITE_LOCK_PENDING {
                return false;
            }
            self.shared += 1;
            *held = SQLITE_LOCK_SHARED;
        }
        if wanted == SQLITE_LOCK_SHARED {
            return true;
        }
        if *held == SQLITE_LOCK_SHARED && self.above > SQLITE_LOCK_SHARED {
            return false;
        }
        let free = wanted < SQLITE_LOCK_EXCLUSIVE || self.shared == 1;
        *held = if free { wanted } else { SQLITE_LOCK_PENDING };
        self.above = *held;
        free
    }

    /// Lowers one connection's level to shared or none.
    pub fn lower(&mut self, held: &mut c_int, wanted: c_int) {
        if *held > SQLITE_LOCK_SHARED && wanted <= SQLITE_LOCK_SHARED {
            self.above = SQLITE_LOCK_NONE;
        }
        if *held >= SQLITE_LOCK_SHARED && wanted == SQLITE_LOCK_NONE {
            self.shared -= 1;
        }
        *held = (*held).min(wanted);
    }

    pub fn is_reserved(&self) -> bool {
        self.above >= SQLITE_LOCK_RESERVED
    }
}

const SLOTS: usize = SQLITE_SHM_NLOCK as usize;

/// The shared memory of a database in WAL mode, and its locks.
#[derive(Debug, Default)]
pub(super) struct SharedMemory {
    /// The number of connections that use it. The last one removes it.
    users: usize,
    regions: Vec<Box<[UnsafeCell<u64>]>>,
    slots: [Slot; SLOTS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    exclusive: bool,
    shared: usize,
}

/// What one connection holds of the shared memory.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SharedMemoryUse {
    is_user: bool,
    exclusive: [bool; SLOTS],
    shared: [bool; SLOTS],
}

impl SharedMemory {
    /// The address of a region; null if it does not exist and `extend` is false. The address is valid until the last
    /// user leaves.
    pub fn region(
        &mut self,
        user: &mut SharedMemoryUse,
        n: usize,
        bytes: usize,
        extend: bool,
    ) -> *mut c_void {
        if !user.is_user {
            user.is_user = true;
            self.users += 1;
        }
        while extend && self.regions.len() <= n {
            self.regions.push((0..bytes.div_ceil(8)).map(|_| UnsafeCell::new(0)).collect());
        }
        self.regions.get(n).map_or(std::ptr::null_mut(), |region| region.as_ptr().cast_mut().cast())
    }

    /// Takes several locks together. Returns `false` if any of them is not free.
    pub fn lock(
        &mut self,
        user: &mut SharedMemoryUse,
        slots: std::ops::Range<usize>,
        exclusive: bool,
    ) -> bool {
        let free = |n: usize| match exclusive {
            true => user.exclusive[n] || (!self.slots[n].exclusive && self.slots[n].shared == 0),
            false => user.shared[n] || !self.slots[n].exclusive,
        };
        if !slots.clone().all(free) {
            return false;
        }
        for n in slots {
            if exclusive {
                (user.exclusive[n], self.slots[n].exclusive) = (true, true);
            } else if !user.shared[n] {
                user.shared[n] = true;
                self.slots[n].shared += 1;
            }
        }
        true
    }

    /// Releases these locks, as far as the connection holds them.
    pub fn unlock(&mut self, user: &mut SharedMemoryUse, slots: std::ops::Range<usize>) {
        for n in slots {
            if std::mem::take(&mut user.exclusive[n]) {
                self.slots[n].exclusive = false;
            }
            if std::mem::take(&mut user.shared[n]) {
                self.slots[n].shared -= 1;
            }
        }
    }

    /// Ends the use by a connection.
    pub fn leave(&mut self, user: &mut SharedMemoryUse) {
        self.unlock(user, 0..SLOTS);
        if std::mem::take(&mut user.is_user) {
            self.users -= 1;
            if self.users == 0 {
                self.regions.clear();
            }
        }
    }
}
