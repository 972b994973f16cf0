//! Locking as this module does it everywhere.

use std::sync::{Mutex, MutexGuard};

/// Locks. Code under these locks only panics when an invariant is broken, and then nothing may go on.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread panics while it holds this lock")
}
