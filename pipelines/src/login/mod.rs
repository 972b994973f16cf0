//! Stored log-ins: `orderflow login` makes one, the commands that use a server renew it, `orderflow logout` ends it.
//!
//! A log-in belongs to one origin and is sent nowhere else. All commands of a user share the file of log-ins. A refresh
//! token can be used once, so a command takes the file's lock before it renews, and first looks whether another command
//! has renewed already.

pub mod commands;
mod file;
mod grant;
mod secret;
mod session;
mod stored;

pub use self::{
    file::LoginFile,
    session::{LoginEnded, Session},
};
