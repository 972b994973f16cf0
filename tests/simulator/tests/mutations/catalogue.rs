//! The deliberate bugs as text, and how they are put into a source file.

use std::{fs, path::Path};

use serde::Deserialize;

/// All deliberate bugs.
#[derive(Debug, Deserialize)]
pub struct Catalogue {
    /// The bugs, in the order of the file.
    #[serde(rename = "mutation")]
    pub mutations: Vec<Mutation>,
}

/// A deliberate bug.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutation {
    /// The name that selects the bug when the program runs.
    pub name: String,
    /// What the bug breaks, in words.
    pub breaks: String,
    /// What clients deal in in the runs that can show the bug; all runs can if absent.
    pub trade: Option<String>,
    /// The edits that make the bug.
    #[serde(rename = "edit")]
    edits: Vec<Edit>,
}

/// A replacement in a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    file: String,
    find: String,
    put: String,
}

impl Catalogue {
    /// Reads the catalogue beside the tests.
    pub fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("mutations.toml");
        toml::from_str(&fs::read_to_string(path).unwrap()).unwrap()
    }

    /// The text of a file with all its bugs, each of which is off until it is selected.
    pub fn mutate(&self, file: &str, text: String) -> String {
        let mut text = text;
        for mutation in &self.mutations {
            for edit in mutation.edits.iter().filter(|edit| edit.file == file) {
                text = edit.apply(&mutation.name, &text);
            }
        }
        text
    }

    /// The files with bugs.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        self.mutations.iter().flat_map(|mutation| &mutation.edits).map(|edit| edit.file.as_str())
    }
}

impl Edit {
    fn apply(&self, name: &str, text: &str) -> String {
        let times = text.matches(&self.find).count();
        assert_eq!(times, 1, "mutation `{name}`: its text must be in {} once; look there again", self.file);
        let chosen = format!("std::env::var_os(\"ORDERFLOW_MUTANT\").is_some_and(|m| m == \"{name}\")");
        text.replacen(&self.find, &self.put.replace("MUTANT", &chosen), 1)
    }
}
