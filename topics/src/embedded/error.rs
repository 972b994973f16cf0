//! The errors of opening the embedded log, and how they name damage.

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
    /// The operating system refused an operation on a file or directory.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// The operation that failed, as a verb phrase such as `read`.
        action: &'static str,
        /// The file or directory of the operation.
        path: PathBuf,
        /// The error that the operating system reported.
        source: io::Error,
    },
    /// Bytes that were durable are not the bytes that were written. Nothing was changed, and the records before the
    /// damaged position are intact.
    #[error("damaged log: {} at byte {position}: {why}", file.display())]
    Damaged {
        /// The damaged file.
        file: PathBuf,
        /// The position of the damage in the file, in bytes.
        position: u64,
        /// What is wrong at that position.
        why: String,
    },
    /// The settings contradict each other or the content of the directory.
    #[error("settings of the log: {0}")]
    Settings(String),
}

impl OpenError {
    pub(super) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }
}

/// The error for damage at a byte position of a file.
pub(super) fn damage(file: &Path, position: u64, why: &str) -> OpenError {
    OpenError::Damaged { file: file.to_owned(), position, why: why.to_owned() }
}
