//! The tables in `docs/ACCESS.md`.

use std::fs;

use orderflow_tests::repository;

/// A row of the table of routes.
pub struct Row {
    pub method: String,
    pub path: String,
    /// For each role `–`, `own`, `handed`, `all` or `open`.
    pub reach: Vec<String>,
    pub scope: Option<String>,
}

impl Row {
    /// Whether the call is about one order.
    pub fn is_of_an_order(&self) -> bool {
        self.path.contains("orders/{id}") || self.path.contains("{order_id}")
    }
}

/// The text of the part of the document that a test writes.
fn part(name: &str) -> String {
    let text = fs::read_to_string(repository().join("docs/ACCESS.md")).unwrap();
    let (_, rest) = text.split_once(&format!("<!-- Begin of {name},")).unwrap();
    rest.split_once(&format!("<!-- End of {name}.")).unwrap().0.to_owned()
}

/// The table of routes.
pub fn table() -> Vec<Row> {
    let text = part("routes");
    let rows = text.lines().filter(|line| line.starts_with("| `")).map(|line| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let (method, path) = cells[0].trim_matches('`').split_once(' ').unwrap();
        Row {
            method: method.to_owned(),
            path: path.to_owned(),
            reach: cells[1..6].iter().map(|cell| (*cell).to_owned()).collect(),
            scope: Some(cells[6].trim_matches('`').to_owned()).filter(|scope| scope != "–"),
        }
    });
    rows.collect()
}

/// The states that a lifecycle hands to couriers, and the actions that it has.
pub fn handed_and_actions(lifecycle: &str) -> (Vec<String>, Vec<String>) {
    let text = part("lifecycles");
    let (_, section) = text.split_once(&format!("### {lifecycle}\n")).unwrap();
    let section = section.split("\n### ").next().unwrap();
    let quoted = |text: &str| text.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let handed = section.lines().find(|line| line.starts_with("- Handed to couriers:")).unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    (quoted(handed), rows.flat_map(|row| quoted(row.split('|').nth(3).unwrap())).collect())
}
