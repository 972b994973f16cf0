//! Copies of data directories.

use std::{fs, io, path::Path};

use crate::Stage;

/// Copies a folder with its content. Files that disappear meanwhile are left out.
pub fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("a folder can be listed") {
        let path = entry.expect("a folder can be listed").path();
        let target = to.join(path.file_name().expect("an entry has a name"));
        if path.is_dir() {
            copy_folder(&path, &target);
        } else {
            copy_file(&path, &target);
        }
    }
}

/// Copies a file, unless it has disappeared.
pub fn copy_file(from: &Path, to: &Path) {
    match fs::copy(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        copied => drop(copied.expect("a file can be copied")),
    }
}

impl Stage {
    /// A new stage with a copy of this stage's data. The server must be stopped.
    #[must_use]
    pub fn copy(&self) -> Self {
        let copy = Self::new();
        copy_folder(self.data(), copy.data());
        copy
    }
}
