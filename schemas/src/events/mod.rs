//! Events: facts that a processor has decided. Each variant's `kind` is its stable name in records.

mod orders;
mod rejection;
mod stock;

pub use self::{orders::*, rejection::*, stock::*};
pub use crate::idempotency::{KeyDigest, UsedKey};
