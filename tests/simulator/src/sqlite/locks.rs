//! What the connections to one database file share while they have it open: its locks, and the memory of the WAL.

use std::{
    cell::UnsafeCell,
    ffi::{c_int, c_void},
};

use libsqlite3_sys::{
    SQLITE_LOCK_EXCLUSIVE, SQLITE_LOCK_NONE, SQLITE_LOCK_PENDING, SQLITE_LOCK_RESERVED, SQLITE_LOCK_SHARED,
    SQLITE_SHM_NLOCK,
};

/// The locks of a file, as SQLite has them: many share; one of them may be about to write, and then writes alone.
#[derive(Debug, Default)]
pub(super) struct FileLocks {
    shared: usize,
    /// The highest level above shared that anybody has.
    above: c_int,
}

impl FileLocks {
    /// Raises one connection's level; false if others are in the way. A refused exclusive lock is pending, as in
    /// SQLite's own.
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

/// The memory that the connections of a database in WAL mode share, and its locks.
#[derive(Debug, Default)]
pub(super) struct SharedMemory {
    /// How many connections use it; the last one takes it along.
    users: usize,
    regions: Vec<Box<[UnsafeCell<u64>]>>,
    slots: [Slot; SLOTS],
}

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    exclusive: bool,
    shared: usize,
}

/// What one connection holds of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SharedMemoryUse {
    is_user: bool,
    exclusive: [bool; SLOTS],
    shared: [bool; SLOTS],
}

impl SharedMemory {
    /// Where a region begins; null if there is none and none is to be made. The address is good until the last user
    /// is gone.
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

    /// Takes locks together; false if any is not free.
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

    /// Gives back what the connection has of these locks.
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

    /// The connection uses it no longer.
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
