//! Parts of documents that are generated from the code. A test compares them with the documents, and with
//! `ORDERFLOW_WRITE_DOCUMENTS=1` writes them.

use std::{fs, path::Path};

/// Compares the text between a document's marks for `part` with the expected text.
#[track_caller]
pub fn compare(file: &str, part: &str, expected: &str) {
    let (begin, end) =
        (format!("<!-- Begin of {part}, written by a test. -->\n"), format!("<!-- End of {part}. -->\n"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(&begin).unwrap_or_else(|| panic!("{file} has no {part}"));
    let (found, after) = rest.split_once(&end).unwrap_or_else(|| panic!("{file} has no end of {part}"));
    if std::env::var_os("ORDERFLOW_WRITE_DOCUMENTS").is_some() {
        fs::write(&path, format!("{before}{begin}{expected}{end}{after}")).unwrap();
    } else {
        assert!(found == expected, "{file} is out of date: ORDERFLOW_WRITE_DOCUMENTS=1 writes it anew");
    }
}
