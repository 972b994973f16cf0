//! A copy of the workspace with the bugs in it, and the program that is built of it.
//!
//! It stays where it is from run to run, and a file that has not changed is not written again: then cargo builds
//! nothing again either. It is built into the directory that this test was built into, with the features of the
//! whole workspace, so that the dependencies there are used as they are. Cargo holds no lock there while tests run.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

use crate::catalogue::Catalogue;

/// The example to build. In the copy it has a name of its own: cargo puts both programs into the same folder.
const EXAMPLE: &str = "tests/simulator/examples/seeds.rs";
const PROGRAM: &str = "seeds_mutated";

/// The part of the workspace's manifest that says what to copy.
#[derive(Deserialize)]
struct Manifest {
    workspace: Workspace,
}

#[derive(Deserialize)]
struct Workspace {
    members: Vec<String>,
}

/// The copy.
pub struct Copied {
    root: PathBuf,
}

impl Copied {
    /// Brings the copy up to date with the sources and the bugs.
    pub fn make(catalogue: &Catalogue) -> Self {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mutations");
        let manifest: Manifest =
            toml::from_str(&fs::read_to_string(from.join("Cargo.toml")).unwrap()).unwrap();
        let mut files = BTreeSet::from(["Cargo.toml".into(), "Cargo.lock".into()]);
        for member in &manifest.workspace.members {
            list(&from, Path::new(member), &mut files);
        }
        for file in catalogue.files() {
            assert!(files.contains(Path::new(file)), "{file} is to have a bug and is not there");
        }
        remove_others(&root, &files);
        for file in &files {
            let bytes = fs::read(from.join(file)).unwrap();
            match String::from_utf8(bytes) {
                Ok(text) => {
                    let text = catalogue.mutate(file.to_str().unwrap(), text);
                    put(&place(&root, file), of_another_version(file, text).as_bytes());
                }
                Err(error) => put(&place(&root, file), error.as_bytes()),
            }
        }
        Self { root }
    }

    /// Builds the program that runs seeds.
    pub fn build(&self) -> PathBuf {
        let profile = profile_dir();
        let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
        cargo.args([
            "build",
            "--workspace",
            "--example",
            PROGRAM,
            "--offline",
            "--locked",
            "--quiet",
            "--profile",
        ]);
        let name = profile.file_name().and_then(|name| name.to_str()).unwrap();
        cargo.arg(if name == "debug" { "dev" } else { name });
        // What cargo tells this test of its package would make build scripts that look at it, as ring's does, run again.
        let own =
            ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_CRATE_", "CARGO_BIN_", "CARGO_PRIMARY_", "OUT_DIR"];
        for (name, _) in env::vars_os() {
            if own.iter().any(|own| name.as_encoded_bytes().starts_with(own.as_bytes())) {
                cargo.env_remove(name);
            }
        }
        let built = cargo
            .env("CARGO_TARGET_DIR", profile.parent().unwrap())
            .current_dir(&self.root)
            .status()
            .unwrap();
        assert!(built.success(), "the sources with the bugs in {} do not build", self.root.display());
        profile.join("examples").join(PROGRAM)
    }
}

/// Gives the copy's packages a version of their own: what cargo builds of a package is named by its version and not by
/// where it lies, and nothing with bugs in it may be taken for what is built of the sources.
fn of_another_version(file: &Path, text: String) -> String {
    let version = format!("version = \"{}\"", env!("CARGO_PKG_VERSION"));
    let other = format!("version = \"{}-mutated\"", env!("CARGO_PKG_VERSION"));
    match file.to_str() {
        Some("Cargo.toml") => text.replacen(&version, &other, 1),
        Some("Cargo.lock") => {
            let packages = text.split("[[package]]").map(|package| {
                let own = package.trim_start().starts_with("name = \"orderflow-");
                if own { package.replacen(&version, &other, 1) } else { package.to_owned() }
            });
            packages.collect::<Vec<_>>().join("[[package]]")
        }
        _ => text,
    }
}

/// The directory of this build: the test is a file of its `deps`.
fn profile_dir() -> PathBuf {
    env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
}

/// Adds the files of a folder, by their path in the workspace. What cargo or git keep to themselves is not of it.
fn list(root: &Path, folder: &Path, files: &mut BTreeSet<PathBuf>) {
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = folder.join(entry.file_name());
        if entry.file_type().unwrap().is_file() {
            files.insert(path);
        } else if !is_foreign(&root.join(&path)) {
            list(root, &path, files);
        }
    }
}

fn is_foreign(folder: &Path) -> bool {
    let hidden = folder.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    hidden || folder.join("CACHEDIR.TAG").exists()
}

/// Removes files of an earlier copy that are in the sources no more.
fn remove_others(root: &Path, files: &BTreeSet<PathBuf>) {
    fs::create_dir_all(root).unwrap();
    let mut there = BTreeSet::new();
    list(root, Path::new(""), &mut there);
    let kept: BTreeSet<_> = files.iter().map(|file| place(root, file)).collect();
    for file in there.iter().map(|file| root.join(file)).filter(|file| !kept.contains(file)) {
        fs::remove_file(file).unwrap();
    }
}

/// Where a file of the sources goes.
fn place(root: &Path, file: &Path) -> PathBuf {
    let place = root.join(file);
    if file == Path::new(EXAMPLE) { place.with_file_name(format!("{PROGRAM}.rs")) } else { place }
}

fn put(path: &Path, bytes: &[u8]) {
    if fs::read(path).is_ok_and(|there| there == bytes) {
        return;
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}
