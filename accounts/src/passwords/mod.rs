//! Passwords: which are accepted, and how they are hashed and checked.

mod hasher;
mod policy;

pub use hasher::Hasher;
pub use policy::{Password, WeakPassword};
