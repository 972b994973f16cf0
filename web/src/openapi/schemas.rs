//! The JSON Schemas of a document, each under a name of its own.

use std::collections::BTreeMap;

use schemars::{JsonSchema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};
use utoipa::openapi::Ref;

const PATH: &str = "/components/schemas";

/// The schemas that a document refers to. Every schema has a name, so that utoipa's own type for schemas, which lacks
/// keywords of JSON Schema, is not needed.
#[derive(Debug)]
pub struct Schemas {
    generator: SchemaGenerator,
    /// Schemas of types that have no name of their own, such as numbers with bounds.
    unnamed: BTreeMap<String, Value>,
}

impl Default for Schemas {
    fn default() -> Self {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.definitions_path = PATH.into();
            settings.meta_schema = None;
        });
        Self { generator: settings.into_generator(), unnamed: BTreeMap::new() }
    }
}

impl Schemas {
    /// The reference to the schema of a type. A type without a name gets this one.
    pub fn of<T: JsonSchema>(&mut self, name: &str) -> Ref {
        let schema = self.generator.subschema_for::<T>().to_value();
        self.refer(name, schema)
    }

    /// The reference to a schema, which gets this name unless it is a reference itself.
    ///
    /// # Panics
    /// If another schema already has the name.
    pub fn refer(&mut self, name: &str, schema: Value) -> Ref {
        if let Some(known) = schema.as_object().and_then(reference) {
            return Ref::new(known);
        }
        let known = self.unnamed.entry(name.to_owned()).or_insert_with(|| schema.clone());
        assert_eq!(*known, schema, "two schemas are named {name}");
        Ref::new(format!("#{PATH}/{name}"))
    }

    /// The properties of a type that is read from the query, each with its name, its schema and whether it is required.
    pub fn properties<T: JsonSchema>(&mut self) -> Vec<(String, Value, bool)> {
        let schema = T::json_schema(&mut self.generator).to_value();
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let properties = schema["properties"].as_object().into_iter().flatten();
        let property = |(name, schema): (&String, &Value)| {
            (name.clone(), without_null(schema.clone()), required.contains(&name.as_str()))
        };
        properties.map(property).collect()
    }

    /// All schemas by name.
    ///
    /// # Panics
    /// If a type has the name of another schema.
    pub fn into_map(mut self) -> Map<String, Value> {
        let mut all = self.generator.take_definitions(true);
        for (name, schema) in self.unnamed {
            let other = all.insert(name.clone(), schema);
            assert!(other.is_none(), "two schemas are named {name}");
        }
        all
    }
}

/// The target of a schema that is only a reference. Its own description, if it has one, is left out.
fn reference(schema: &Map<String, Value>) -> Option<&str> {
    let others = schema.keys().any(|key| key != "$ref" && key != "description");
    schema.get("$ref").and_then(Value::as_str).filter(|_| !others)
}

/// The schema without the alternative `null`: a parameter is there or not.
fn without_null(mut schema: Value) -> Value {
    let Some(keywords) = schema.as_object_mut() else { return schema };
    if let Some(Value::Array(types)) = keywords.get_mut("type") {
        types.retain(|name| name != "null");
        if let [one] = types.as_slice() {
            let one = one.clone();
            keywords.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(mut alternatives)) = keywords.remove("anyOf") {
        alternatives.retain(|alternative| alternative["type"] != "null");
        match alternatives.as_slice() {
            [Value::Object(one)] => keywords.extend(one.clone()),
            _ => drop(keywords.insert("anyOf".to_owned(), Value::Array(alternatives))),
        }
    }
    schema
}
