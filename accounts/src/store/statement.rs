//! Statements and rows in the subset of SQL that all stores understand: texts, integers and bytes.

use super::StoreError;

/// A value of a column or of a parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(Option<String>),
    /// An integer.
    Number(Option<i64>),
    /// Bytes.
    Bytes(Option<Vec<u8>>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(Some(text.to_owned()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(Some(text))
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(Some(number))
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(is: bool) -> Self {
        Self::Number(Some(is.into()))
    }
}

impl From<Vec<u8>> for Value {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(Some(bytes))
    }
}

/// A statement with its parameters, which are always bound and never part of the text.
#[derive(Clone, Debug)]
pub struct Statement {
    /// The text, in which `$1` is the first parameter.
    pub text: &'static str,
    /// The parameters.
    pub values: Vec<Value>,
}

/// The statement with this text and these parameters.
macro_rules! sql {
    ($text:expr $(, $value:expr)* $(,)?) => {
        $crate::store::Statement { text: $text, values: vec![$($crate::store::Value::from($value)),*] }
    };
}
pub(crate) use sql;

/// A row of a result.
#[derive(Clone, Debug, Default)]
pub struct Row(Vec<(String, Value)>);

impl Row {
    /// A row of these columns.
    pub(super) fn new(columns: Vec<(String, Value)>) -> Self {
        Self(columns)
    }

    fn find(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(column, _)| column == name).map(|(_, value)| value)
    }

    /// The text in this column, which may be NULL.
    pub fn optional_text(&self, name: &'static str) -> Result<Option<String>, StoreError> {
        match self.find(name) {
            Some(Value::Text(text)) => Ok(text.clone()),
            // A column of SQLite that is NULL has no type.
            Some(Value::Number(None) | Value::Bytes(None)) => Ok(None),
            _ => Err(StoreError::Damaged(name)),
        }
    }

    /// The text in this column.
    pub fn text(&self, name: &'static str) -> Result<String, StoreError> {
        self.optional_text(name)?.ok_or(StoreError::Damaged(name))
    }

    /// The number in this column, which may be NULL.
    pub fn optional_number(&self, name: &'static str) -> Result<Option<i64>, StoreError> {
        match self.find(name) {
            Some(Value::Number(number)) => Ok(*number),
            Some(Value::Text(None) | Value::Bytes(None)) => Ok(None),
            _ => Err(StoreError::Damaged(name)),
        }
    }

    /// The number in this column.
    pub fn number(&self, name: &'static str) -> Result<i64, StoreError> {
        self.optional_number(name)?.ok_or(StoreError::Damaged(name))
    }

    /// The bytes in this column.
    pub fn bytes(&self, name: &'static str) -> Result<Vec<u8>, StoreError> {
        match self.find(name) {
            Some(Value::Bytes(Some(bytes))) => Ok(bytes.clone()),
            _ => Err(StoreError::Damaged(name)),
        }
    }

    /// The text in this column, parsed.
    pub fn parse<T: std::str::FromStr>(&self, name: &'static str) -> Result<T, StoreError> {
        self.text(name)?.parse().map_err(|_| StoreError::Damaged(name))
    }
}
