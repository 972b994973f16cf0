//! Compares what a page shows with what comes out.
//!
//! `…` on a page stands for what differs from run to run, or is left out: as a value for any value but null, in a text
//! for any part of it, as the last member or element for further ones, if there are any. Without `…` at its end, an object or an array
//! has exactly the members that are shown. Of headers only those that are shown must be there.

use serde_json::{Deserializer, Value};

use super::page::Shown;

const ANY: &str = "…";

/// Panics unless the output is what the page shows.
#[track_caller]
pub fn compare(shown: &Shown, output: &str, at: &str) {
    let compared = match shown {
        Shown::Json(text) => compare_json(text, output),
        Shown::Http(text) => compare_http(text, output),
    };
    if let Err(difference) = compared {
        panic!("{at}: {difference}\nthe output is\n{output}");
    }
}

fn compare_json(shown: &str, output: &str) -> Result<(), String> {
    let (wanted, found) = (documents(&complete(shown))?, documents(output)?);
    if wanted.len() != found.len() {
        return Err(format!("{} JSON documents are shown, and there are {}", wanted.len(), found.len()));
    }
    wanted.iter().zip(&found).try_for_each(|(wanted, found)| matches(wanted, found, ""))
}

fn documents(text: &str) -> Result<Vec<Value>, String> {
    let values = Deserializer::from_str(text).into_iter().collect::<Result<Vec<Value>, _>>();
    values.map_err(|error| format!("no JSON: {error}: {text}"))
}

fn compare_http(shown: &str, output: &str) -> Result<(), String> {
    let (shown_head, shown_body) = shown.split_once("\n\n").unwrap_or((shown, ""));
    let (head, body) = output.split_once("\r\n\r\n").ok_or("no head of a response")?;
    for line in shown_head.lines().filter(|line| *line != ANY) {
        if !head.lines().any(|there| matches_text(line, there)) {
            return Err(format!("no line `{line}`"));
        }
    }
    if shown_body.trim().is_empty() { Ok(()) } else { compare_json(shown_body, body) }
}

/// Makes JSON of what a page shows: `…` becomes a text, or in an object a member with that name.
fn complete(shown: &str) -> String {
    let (mut text, mut open, mut in_text, mut last) = (String::new(), Vec::new(), false, ' ');
    for character in shown.chars() {
        match character {
            '"' => in_text = !in_text,
            '{' | '[' if !in_text => open.push(character),
            '}' | ']' if !in_text => drop(open.pop()),
            '…' if !in_text => {
                text += if open.last() == Some(&'{') && last != ':' { "\"…\":0" } else { "\"…\"" };
                last = character;
                continue;
            }
            _ => {}
        }
        if !character.is_whitespace() {
            last = character;
        }
        text.push(character);
    }
    text
}

fn matches(wanted: &Value, found: &Value, at: &str) -> Result<(), String> {
    let same = match (wanted, found) {
        (Value::String(any), found) if any == ANY => !found.is_null(),
        (Value::String(wanted), Value::String(found)) => matches_text(wanted, found),
        (Value::Object(wanted), Value::Object(found)) => {
            for (name, wanted) in wanted.iter().filter(|(name, _)| *name != ANY) {
                let found = found.get(name).ok_or_else(|| format!("no {at}/{name}"))?;
                matches(wanted, found, &format!("{at}/{name}"))?;
            }
            wanted.contains_key(ANY) || wanted.len() == found.len()
        }
        (Value::Array(wanted), Value::Array(found)) => {
            let (wanted, is_open) = match wanted.split_last() {
                Some((last, rest)) if last == ANY => (rest, true),
                _ => (wanted.as_slice(), false),
            };
            for (index, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                matches(wanted, found, &format!("{at}/{index}"))?;
            }
            if is_open { wanted.len() <= found.len() } else { wanted.len() == found.len() }
        }
        (wanted, found) => wanted == found,
    };
    if same { Ok(()) } else { Err(format!("at `{at}`, {wanted} is shown, and there is {found}")) }
}

/// Whether a text is the one that is shown, with `…` for any part of it.
fn matches_text(shown: &str, found: &str) -> bool {
    match shown.split_once(ANY) {
        Some((start, end)) => {
            found.len() >= start.len() + end.len() && found.starts_with(start) && found.ends_with(end)
        }
        None => shown == found,
    }
}

#[test]
fn what_is_shown_is_compared_but_for_what_is_left_out() {
    let json = |shown: &str, output: &str| compare_json(shown, output).is_ok();
    assert!(json(r#"{"id":…,"n":1,…}"#, r#"{"id":"x","n":1,"more":2}"#));
    assert!(json(r#"{"id":"/a/…"} [1,…]"#, r#"{"id":"/a/b"}[1,2]"#));
    assert!(!json(r#"{"id":…}"#, r#"{"id":"x","n":1}"#));
    assert!(!json(r#"{"id":…,…}"#, r#"{"id":null}"#));
    assert!(!json(r#"{"n":1,…}"#, r#"{"n":2}"#));
    assert!(!json("[1]", "[1,2]") && !json("[1,2,…]", "[1]") && !json("[1]", "[]"));
    assert!(!json("{}", "") && !json("{}", "{}{}"));
    let http = |shown: &str, output: &str| compare_http(shown, output).is_ok();
    assert!(http("HTTP/1.1 200 OK\n…\na: b…\n\n[]", "HTTP/1.1 200 OK\r\nx: y\r\na: bc\r\n\r\n[]"));
    assert!(!http("HTTP/1.1 200 OK\na: b", "HTTP/1.1 200 OK\r\nx: y\r\n\r\n"));
}
