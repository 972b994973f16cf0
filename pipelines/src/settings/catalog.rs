//! The list of all settings, made from the JSON Schema of [`Settings`].

use std::sync::LazyLock;

use anyhow::{Result, bail};
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use super::Settings;

/// One setting, with everything that the flag, the help and the reference need.
#[derive(Debug)]
pub struct Setting {
    /// The keys in the pipeline file, outermost first.
    pub path: Vec<String>,
    /// The flag without its leading dashes.
    pub flag: String,
    /// The name of the environment variable.
    pub env: String,
    /// The placeholder for the value in the help.
    pub value_name: String,
    /// Whether the value is an integer; otherwise it is text.
    pub is_integer: bool,
    /// The least and the largest allowed value; `None` for no bound.
    pub bounds: (Option<u64>, Option<u64>),
    /// The default in text form; `None` if the setting is off by default.
    pub default: Option<String>,
    /// The help text.
    pub help: String,
    /// The part of the system that the setting belongs to; `None` for the process as a whole.
    pub part: Option<String>,
    /// Whether the setting is in the short help and the README.
    pub is_common: bool,
    /// Whether the value must not be shown.
    pub is_secret: bool,
}

/// All settings, in the order of the structs.
pub fn all() -> &'static [Setting] {
    static ALL: LazyLock<Vec<Setting>> = LazyLock::new(|| {
        let generator = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
        let schema = generator.into_generator().into_root_schema_for::<Settings>().to_value();
        let mut all = Vec::new();
        collect(&schema, &mut Vec::new(), None, &mut all);
        all
    });
    &ALL
}

/// Adds the settings below an object of the schema to `all`.
fn collect(object: &Value, path: &mut Vec<String>, part: Option<&str>, all: &mut Vec<Setting>) {
    for (name, field) in object["properties"].as_object().into_iter().flatten() {
        path.push(name.clone());
        if field["properties"].is_object() {
            // The settings inside a part belong to that part.
            collect(field, path, part.or(field["description"].as_str()), all);
        } else if let Value::Object(field) = field {
            all.push(setting(field, path, part));
        }
        path.pop();
    }
}

fn setting(field: &Map<String, Value>, path: &[String], part: Option<&str>) -> Setting {
    let text = |key| field.get(key).and_then(Value::as_str);
    let number = |key| field.get(key).and_then(Value::as_u64);
    let flag = text("x-flag").map_or_else(|| path.join("-").replace('_', "-"), str::to_owned);
    let name = path.last().map_or("", String::as_str);
    let types = field.get("type");
    let is_integer = types.is_some_and(|types| types == "integer" || types[0] == "integer");
    Setting {
        env: format!("ORDERFLOW_{}", flag.replace('-', "_").to_uppercase()),
        value_name: text("x-value").unwrap_or(unit_of(name, is_integer)).to_owned(),
        is_integer,
        bounds: (number("minimum").filter(|minimum| *minimum > 0), number("maximum")),
        default: match field.get("default") {
            None | Some(Value::Null) => None,
            // An empty list.
            Some(Value::String(text)) if text.is_empty() => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        },
        help: text("description").unwrap_or_default().replace('\n', " "),
        part: part.map(str::to_owned),
        is_common: field.contains_key("x-flag"),
        is_secret: field.contains_key("x-secret"),
        path: path.to_vec(),
        flag,
    }
}

/// The unit in the last word of a name: `cache_bytes_max` is in bytes.
fn unit_of(name: &str, is_integer: bool) -> &'static str {
    let name = name.trim_end_matches("_max").trim_end_matches("_min");
    match () {
        () if name.ends_with("bytes") => "BYTES",
        () if name.ends_with("_ms") => "MS",
        () if name.ends_with("_s") => "SECONDS",
        () if is_integer => "N",
        () => "TEXT",
    }
}

/// Returns an error if a value is outside the bounds of its setting.
pub fn check_bounds(table: &toml::Table) -> Result<()> {
    for setting in all() {
        let Some(given) = given(table, &setting.path).and_then(toml::Value::as_integer) else { continue };
        let (least, most) = setting.bounds;
        let fits = u64::try_from(given).is_ok_and(|given| {
            least.is_none_or(|least| given >= least) && most.is_none_or(|most| given <= most)
        });
        if !fits {
            bail!("{} must be {}, not {given}", setting.path.join("."), range(least.or(Some(0)), most));
        }
    }
    Ok(())
}

/// The value of a setting in a nested table, if it is given.
fn given<'t>(table: &'t toml::Table, path: &[String]) -> Option<&'t toml::Value> {
    let (last, parts) = path.split_last()?;
    let mut table = table;
    for part in parts {
        table = table.get(part)?.as_table()?;
    }
    table.get(last)
}

/// The bounds as text.
pub fn range(least: Option<u64>, most: Option<u64>) -> String {
    match (least, most) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => String::new(),
    }
}
