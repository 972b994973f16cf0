//! The reference of all settings: `docs/SETTINGS.md`, and the table of the common ones in the README.

use std::fmt::Write;

use super::catalog::{self, Setting};
use crate::reference::compare;

fn table(settings: &[&Setting]) -> String {
    let mut table = "| flag | default | meaning |\n|---|---|---|\n".to_owned();
    for setting in settings {
        let default = setting.default.as_ref().map_or("–".to_owned(), |default| format!("`{default}`"));
        let bounds = catalog::range(setting.bounds.0, setting.bounds.1);
        let bounds = if bounds.is_empty() { bounds } else { format!("; {bounds}") };
        let (flag, name, help) = (&setting.flag, &setting.value_name, &setting.help);
        let key = setting.path.join(".");
        // Usually the key in the file is the flag with other separators. The reference names a key only where it
        // differs.
        let key = if key.replace(['.', '_'], "-") == *flag { String::new() } else { format!(" (`{key}`)") };
        writeln!(table, "| `--{flag} {name}`{key} | {default}{bounds} | {help} |")
            .expect("memory takes all text");
    }
    table
}

#[test]
fn the_documents_have_every_setting() {
    let common: Vec<_> = catalog::all().iter().filter(|setting| setting.is_common).collect();
    compare("README.md", "settings", &format!("\n{}\n", table(&common)));
    let mut text = String::new();
    for part in catalog::all().chunk_by(|a, b| a.part == b.part) {
        let rest: Vec<_> = part.iter().filter(|setting| !setting.is_common).collect();
        if let (Some(title), false) = (&part[0].part, rest.is_empty()) {
            write!(text, "\n## {}\n\n{}", title.trim_end_matches('.'), table(&rest)).unwrap();
        }
    }
    compare("docs/SETTINGS.md", "settings", &(text + "\n"));
}
