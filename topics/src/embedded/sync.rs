//! The way all code of this module takes its locks.

use std::sync::{Mutex, MutexGuard};

/// Takes a lock. Code that holds one of these locks panics only if an invariant is broken, and then nothing may go on.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread panics while it holds this lock")
}
