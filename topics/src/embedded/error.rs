//! What goes wrong when the embedded log is opened, and how damage is named.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Why the log could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the directory open.
    #[error("{} is in use by process {owner}", dir.display())]
    Locked {
        /// The directory of the log.
        dir: PathBuf,
        /// The process id in the lock file.
        owner: String,
    },
    /// The disk refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the disk said.
        source: io::Error,
    },
    /// Bytes that were durable are not what was written. Nothing was changed; the records before the place are fine.
    #[error("damaged log: {} at byte {position}: {why}", file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// The place in the file.
        position: u64,
        /// What is wrong there.
        why: String,
    },
    /// The settings contradict themselves or the directory.
    #[error("settings of the log: {0}")]
    Settings(String),
}

impl OpenError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

/// Damage at a position of a file.
pub(super) fn damage(file: &Path, position: u64, why: &str) -> OpenError {
    OpenError::Damaged { file: file.to_owned(), position, why: why.to_owned() }
}
