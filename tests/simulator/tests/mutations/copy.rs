//! A copy of the workspace with the bugs, and the program that is built from it.
//!
//! The copy stays in place between runs, and an unchanged file is not written again, so that cargo does not build it
//! again. It is built into the target directory of this test, with the features of the whole workspace, so that
//! dependencies that are built there are used as they are. Cargo holds no lock on that directory while tests run.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

use crate::catalogue::Catalogue;

/// The example to build. The copy gives it another name, because cargo puts both programs into the same folder.
const EXAMPLE: &str = "tests/simulator/examples/seeds.rs";
const PROGRAM: &str = "seeds_mutated";

/// The part of the workspace's manifest that tells what to copy.
#[derive(Deserialize)]
struct Manifest {
    workspace: Workspace,
}

#[derive(Deserialize)]
struct Workspace {
    members: Vec<String>,
}

/// The copy of the workspace.
pub struct Copied {
    root: PathBuf,
}

impl Copied {
    /// Updates the copy from the sources and the catalogue.
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

    /// Builds the program that runs seeds, and returns its path.
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
        // Cargo sets variables about the package for this test. Build scripts that read them, such as ring's, would
        // run again.
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

/// Gives the packages of the copy a different version. Cargo names its build results by version and not by location,
/// and no build result with bugs may be used in place of one from the sources.
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

/// The target directory of this build: the test is a file in its folder `deps`.
fn profile_dir() -> PathBuf {
    env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
}

/// Adds the files of a folder, by their paths in the workspace. Files of cargo or git are left out.
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

/// Removes files of an earlier copy that the sources no longer have.
fn remove_others(root: &Path, files: &BTreeSet<PathBuf>) {
    fs::create_dir_all(root).unwrap();
    let mut there = BTreeSet::new();
    list(root, Path::new(""), &mut there);
    let kept: BTreeSet<_> = files.iter().map(|file| place(root, file)).collect();
    for file in there.iter().map(|file| root.join(file)).filter(|file| !kept.contains(file)) {
        fs::remove_file(file).unwrap();
    }
}

/// The path in the copy of a file of the sources.
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
