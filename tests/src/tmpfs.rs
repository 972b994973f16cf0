//! A small file system of its own, to be filled.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

/// A file system in memory, gone at the end.
#[derive(Debug)]
pub struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Mounts one of so many bytes on a folder that is made for it. Where that is not allowed, `None`, and what is
    /// skipped for it is said even where tests' output is not shown.
    pub fn mount(folder: &Path, bytes: u64, skipped: &str) -> Option<Self> {
        std::fs::create_dir(folder).expect("a folder can be made");
        let size = format!("size={bytes}");
        if mount(&["-t", "tmpfs", "-o", &size, "tmpfs"], folder) {
            return Some(Self(folder.to_owned()));
        }
        // Not by a macro, whose output is shown only for tests that fail.
        let said = writeln!(std::io::stderr(), "skipped: {skipped}: it needs to be root to mount a tmpfs");
        said.expect("standard error can be written to");
        None
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.0
    }

    /// Takes all room that is left, into a file.
    pub fn fill(&self) -> PathBuf {
        let path = self.0.join("beside");
        let mut file = File::create(&path).expect("a file can be made");
        while file.write_all(&[1; 4096]).is_ok() {}
        path
    }

    /// Makes it larger, while it is used.
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
        // Lazily: a server that a failed test left behind may still be ending.
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}
