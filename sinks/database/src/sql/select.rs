//! A reading statement under construction: its text and the values bound in it, for any database.
//!
//! Values are never part of the text. They are marked `$1`, `$2` …, which SQLite and Postgres both understand.

use orderflow_schemas::OrderId;

/// A value bound in a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// The id of an order, in the database's own form.
    Id(OrderId),
    /// One text.
    Text(String),
    /// Several texts as one array, for databases that have arrays.
    Texts(Vec<String>),
    /// A signed 64-bit integer.
    Integer(i64),
}

impl From<OrderId> for Value {
    fn from(id: OrderId) -> Self {
        Self::Id(id)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

/// A reading statement: its text, its values, and whether it reads a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Select {
    text: String,
    values: Vec<Value>,
    is_list: bool,
}

impl Select {
    /// A statement that begins with `text` and reads the rows of a key.
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text: text.to_owned(), values: Vec::new(), is_list: false }
    }

    /// A statement that begins with `text` and reads a list.
    pub(crate) fn list(text: &'static str) -> Self {
        Self { is_list: true, ..Self::new(text) }
    }

    /// Whether the statement reads a list and may therefore take long.
    pub(crate) fn is_list(&self) -> bool {
        self.is_list
    }

    /// Adds a constant of the program to the text. Only constants are `'static`.
    pub(crate) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a value, and its mark to the text.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        self.text.push_str(&format!("${}", self.values.len()));
        self
    }

    /// The text, and the values in the order of their marks.
    pub(crate) fn into_parts(self) -> (String, Vec<Value>) {
        (self.text, self.values)
    }
}
