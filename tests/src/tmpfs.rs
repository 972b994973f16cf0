//! A small separate file system that a test can fill.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

/// A file system in memory, unmounted when it is dropped.
#[derive(Debug)]
pub struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Mounts a file system of `bytes` bytes on a new folder. If mounting is not allowed, returns `None` and prints
    /// what is skipped, even where the output of tests is not shown.
    pub fn mount(folder: &Path, bytes: u64, skipped: &str) -> Option<Self> {
        std::fs::create_dir(folder).expect("a folder can be made");
        let size = format!("size={bytes}");
        if mount(&["-t", "tmpfs", "-o", &size, "tmpfs"], folder) {
            return Some(Self(folder.to_owned()));
        }
        // Not with a macro, whose output is shown only for failing tests.
        let said = writeln!(std::io::stderr(), "skipped: {skipped}: it needs to be root to mount a tmpfs");
        said.expect("standard error can be written to");
        None
    }

    /// The folder that it is mounted on.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// Fills all remaining space with one file, and returns its path.
    pub fn fill(&self) -> PathBuf {
        let path = self.0.join("beside");
        let mut file = File::create(&path).expect("a file can be made");
        while file.write_all(&[1; 4096]).is_ok() {}
        path
    }

    /// Makes the file system larger while it is in use.
    pub fn grow(&self, bytes: u64) {
        let size = format!("remount,size={bytes}");
        assert!(mount(&["-o", &size], &self.0), "a tmpfs can be made larger");
    }
}

fn mount(arguments: &[&str], folder: &Path) -> bool {
    let mounted = Command::new("mount").args(arguments).arg(folder).output();
    mounted.is_ok_and(|mounted| mounted.status.success())
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily, because a server of a failed test may still be ending.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}
