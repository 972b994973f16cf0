//! A row of Postgres, as the shared reads use it.

use compact_str::CompactString;
use serde::de::DeserializeOwned;
use sqlx::{Row as _, postgres::PgRow, types::Json};
use uuid::Uuid;

use super::text::unescaped;
use crate::sql::Row;

impl Row for PgRow {
    fn text(&self, column: &'static str) -> Result<Option<&str>, sqlx::Error> {
        self.try_get(column)
    }

    fn words(&self, column: &'static str) -> Result<Option<CompactString>, sqlx::Error> {
        let Some(stored) = self.text(column)? else { return Ok(None) };
        let wrong = || sqlx::Error::Decode("U+001A stands before neither 0 nor 1".into());
        unescaped(stored).map(Some).ok_or_else(wrong)
    }

    fn integer(&self, column: &'static str) -> Result<Option<i64>, sqlx::Error> {
        self.try_get(column)
    }

    fn id(&self, column: &'static str) -> Result<Uuid, sqlx::Error> {
        self.try_get(column)
    }

    fn json<T: DeserializeOwned + 'static>(&self, column: &'static str) -> Result<Option<T>, sqlx::Error> {
        Ok(self.try_get::<Option<Json<T>>, _>(column)?.map(|Json(value)| value))
    }
}
