//! A reading statement while it is put together: text and the values bound in it, for any database.
//!
//! Values are never part of the text. They are marked `$1`, `$2` …, which SQLite and Postgres both understand.

use orderflow_schemas::OrderId;

/// A value that is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// An order's id, in the database's own form.
    Id(OrderId),
    /// A text.
    Text(String),
    /// Several texts, as one array. For databases that have those.
    Texts(Vec<String>),
    /// A number.
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

/// A reading statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Select {
    text: String,
    values: Vec<Value>,
    is_list: bool,
}

impl Select {
    /// A statement that begins so and reads what has the key it names.
    pub(crate) fn new(text: &'static str) -> Self {
        Self { text: text.to_owned(), values: Vec::new(), is_list: false }
    }

    /// A statement that begins so and goes through a list.
    pub(crate) fn list(text: &'static str) -> Self {
        Self { is_list: true, ..Self::new(text) }
    }

    /// Whether it goes through a list, and so may take long.
    pub(crate) fn is_list(&self) -> bool {
        self.is_list
    }

    /// Adds text of the program's own: nothing else is `'static`.
    pub(crate) fn push(&mut self, text: &'static str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a value.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        self.text.push_str(&format!("${}", self.values.len()));
        self
    }

    /// The text and the values in the order of their marks.
    pub(crate) fn into_parts(self) -> (String, Vec<Value>) {
        (self.text, self.values)
    }
}
