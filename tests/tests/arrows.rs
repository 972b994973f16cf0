//! The dependencies between crates in ARCHITECTURE.md are those of the manifests.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use orderflow_tests::repository;
use toml::Table;

type Arrows = BTreeMap<String, BTreeSet<String>>;

fn manifest(folder: &str) -> Table {
    let path = repository().join(folder).join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.parse().unwrap()
}

/// The folder of each crate with the folders of its dependencies, without those only for tests.
fn of_manifests() -> Arrows {
    let members = manifest("")["workspace"]["members"].as_array().unwrap().clone();
    let manifests: BTreeMap<String, Table> = members
        .iter()
        .map(|folder| folder.as_str().unwrap().to_owned())
        .map(|folder| (folder.clone(), manifest(&folder)))
        .collect();
    let folder_of: BTreeMap<String, String> = manifests
        .iter()
        .map(|(folder, manifest)| (manifest["package"]["name"].as_str().unwrap().to_owned(), folder.clone()))
        .collect();
    let arrows = manifests.iter().map(|(folder, manifest)| {
        let names = manifest.get("dependencies").and_then(|table| table.as_table()).into_iter().flatten();
        (folder.clone(), names.filter_map(|(name, _)| folder_of.get(name).cloned()).collect())
    });
    arrows.collect()
}

fn of_the_picture() -> Arrows {
    let text = fs::read_to_string(repository().join("ARCHITECTURE.md")).unwrap();
    let (_, picture) = text.split_once("```crates\n").expect("ARCHITECTURE.md has a picture of the crates");
    let (picture, _) = picture.split_once("```").unwrap();
    let arrows = picture.lines().map(|line| {
        let (from, to) = line.split_once('→').unwrap_or((line, ""));
        (from.trim().to_owned(), to.split_whitespace().map(str::to_owned).collect())
    });
    arrows.collect()
}

#[test]
fn the_picture_of_the_crates_is_that_of_the_manifests() {
    let (drawn, real) = (of_the_picture(), of_manifests());
    for (folder, arrows) in &real {
        assert_eq!(drawn.get(folder), Some(arrows), "ARCHITECTURE.md beside {folder}/Cargo.toml");
    }
    assert_eq!(drawn.len(), real.len(), "ARCHITECTURE.md draws a crate that is not there");
}

#[test]
fn what_serves_has_nothing_of_the_simulator_and_the_loops_have_no_store() {
    let real = of_manifests();
    let below = |from: &str| {
        let (mut found, mut next) = (BTreeSet::new(), vec![from.to_owned()]);
        while let Some(folder) = next.pop() {
            for to in &real[&folder] {
                if found.insert(to.clone()) {
                    next.push(to.clone());
                }
            }
        }
        found
    };
    assert!(!below("pipelines").contains("tests/simulator"));
    assert!(below("runner").iter().all(|folder| !folder.starts_with("sinks/")), "{:?}", below("runner"));
    assert!(!below("api").contains("ingest") && !below("ingest").contains("api"));
    for pure in ["processors", "schemas"] {
        assert!(below(pure).iter().all(|folder| folder == "schemas"), "{pure}");
    }
}
