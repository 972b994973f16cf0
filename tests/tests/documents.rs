//! Everything that the documents name exists: tests by their functions, sources by their paths.

use std::{fs, path::Path};

use orderflow_tests::repository;

/// The paths of all Rust files with their text.
fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<(String, String)>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" {
                walk(&path, found);
            } else if name.ends_with(".rs") {
                found.push((path.display().to_string(), fs::read_to_string(&path).unwrap()));
            }
        }
    }
    let mut found = Vec::new();
    walk(repository(), &mut found);
    found
}

/// The texts between backticks in a document.
fn quoted(document: &str) -> Vec<String> {
    let text = fs::read_to_string(repository().join(document)).unwrap();
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
}

#[test]
fn every_test_that_the_guarantees_name_is_there() {
    let sources = sources();
    let is_test = |name: &&String| {
        name.matches('_').count() >= 2
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && !name.starts_with("orderflow_")
    };
    let quoted = [quoted("docs/GUARANTEES.md"), quoted("docs/SECURITY.md")].concat();
    let names: Vec<_> = quoted.iter().filter(is_test).collect();
    assert!(names.len() > 100, "only {} names were found", names.len());
    for name in names {
        let function = format!("fn {name}(");
        assert!(sources.iter().any(|(_, text)| text.contains(&function)), "there is no test `{name}`");
    }
}

#[test]
fn every_source_that_the_documents_name_is_there() {
    let sources = sources();
    for document in ["docs/GUARANTEES.md", "docs/SECURITY.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let quoted = quoted(document);
        for name in quoted.iter().filter(|name| name.ends_with(".rs") && !name.contains(['*', ' '])) {
            let ending = format!("/{name}");
            assert!(
                sources.iter().any(|(path, _)| path.ends_with(&ending)),
                "{document} names `{name}`, which is not there"
            );
        }
    }
}
