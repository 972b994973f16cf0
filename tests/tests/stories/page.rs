//! A page of a story: the command that starts the server, and the steps, each of which may show what it prints.
//!
//! A page has fenced blocks of three languages. `sh` has commands. `json` and `http` show what the commands of the `sh`
//! block before them print. Every other language is refused, so that nothing on a page is left untested.

use std::fs;

use orderflow_tests::repository;

/// A page.
pub struct Page {
    /// The environment variables of the server.
    pub environment: Vec<(String, String)>,
    /// The pipeline of the server.
    pub pipeline: String,
    /// The other commands, in order.
    pub steps: Vec<Step>,
}

/// Commands that run one after the other.
pub struct Step {
    /// The line of the page on which the commands begin.
    pub line: usize,
    /// The commands, as the page has them.
    pub commands: String,
    /// What the page shows of their output.
    pub shown: Option<Shown>,
}

/// What a page shows of an output.
pub enum Shown {
    /// The JSON documents in it.
    Json(String),
    /// A status line, headers and a body, as `curl -i` prints them.
    Http(String),
}

struct Block {
    line: usize,
    language: String,
    text: String,
}

impl Page {
    /// Reads the page with this name.
    pub fn read(name: &str) -> Self {
        let path = repository().join("docs/stories").join(name).with_extension("md");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut page = Self { environment: Vec::new(), pipeline: String::new(), steps: Vec::new() };
        for block in blocks(&text) {
            page.add(block);
        }
        assert!(!page.pipeline.is_empty(), "{name}: no block starts the server with --pipeline");
        page
    }

    fn add(&mut self, Block { line, language, text }: Block) {
        let show = |steps: &mut Vec<Step>, shown| {
            let step = steps.last_mut().filter(|step| step.shown.is_none());
            step.unwrap_or_else(|| panic!("line {line}: no commands belong to what is shown")).shown =
                Some(shown);
        };
        match language.as_str() {
            "sh" if text.contains("orderflow serve ") => self.start(&text),
            "sh" => self.steps.push(Step { line, commands: text, shown: None }),
            "json" => show(&mut self.steps, Shown::Json(text)),
            "http" => show(&mut self.steps, Shown::Http(text)),
            other => panic!("line {line}: a block of `{other}`"),
        }
    }

    /// Reads `NAME=VALUE… orderflow serve --pipeline NAME --data FOLDER`. A test has a folder of its own.
    fn start(&mut self, command: &str) {
        let mut words = command.split_whitespace().filter(|word| *word != "\\");
        for word in words.by_ref().take_while(|word| *word != "orderflow") {
            let (name, value) = word.split_once('=').expect("only variables stand before the command");
            self.environment.push((name.to_owned(), value.to_owned()));
        }
        assert_eq!(words.next(), Some("serve"));
        while let Some(flag) = words.next() {
            let value = words.next().unwrap_or_else(|| panic!("{flag} has no value"));
            match flag {
                "--pipeline" => value.clone_into(&mut self.pipeline),
                "--data" => {}
                other => panic!("a page cannot start a server with {other}"),
            }
        }
    }
}

fn blocks(text: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for (line, text) in (1..).zip(text.lines()) {
        match (&mut open, text.strip_prefix("```")) {
            (None, Some(language)) => {
                open = Some(Block { line: line + 1, language: language.to_owned(), text: String::new() });
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (Some(block), None) => block.text += &format!("{text}\n"),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "the last block has no end");
    found
}
