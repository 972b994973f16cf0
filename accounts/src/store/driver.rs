//! What is the same text for every database: binding parameters, reading columns, and the end of a transaction. It is a
//! macro, because generic functions over sqlx's drivers would need longer bounds than bodies.

/// Defines `query`, `row` and `finish` for a driver. `$integer` and `$bytes` are the names of its types of columns that
/// hold integers and bytes; all others are texts.
macro_rules! driver {
    ($Driver:ty, $Arguments:ty, $Row:ty, $integer:literal, $bytes:literal) => {
        /// The statement with its parameters bound.
        fn query(statement: Statement) -> sqlx::query::Query<'static, $Driver, $Arguments> {
            let mut query = sqlx::query(statement.text);
            for value in statement.values {
                query = match value {
                    Value::Text(text) => query.bind(text),
                    Value::Number(number) => query.bind(number),
                    Value::Bytes(bytes) => query.bind(bytes),
                };
            }
            query
        }

        fn row(row: &$Row) -> Result<Row, StoreError> {
            let mut columns = Vec::with_capacity(row.len());
            for (number, column) in row.columns().iter().enumerate() {
                let raw = row.try_get_raw(number)?;
                let value = match (raw.is_null(), raw.type_info().name()) {
                    (true, _) => Value::Text(None),
                    (false, $integer) => Value::Number(row.try_get(number)?),
                    (false, $bytes) => Value::Bytes(row.try_get(number)?),
                    (false, _) => Value::Text(row.try_get(number)?),
                };
                columns.push((column.name().to_owned(), value));
            }
            Ok(Row::new(columns))
        }

        /// Runs the statements and commits. If the first returns no row, nothing is changed.
        async fn finish(
            mut transaction: sqlx::Transaction<'_, $Driver>,
            first: Statement,
            then: Vec<Statement>,
        ) -> Result<Vec<Row>, StoreError> {
            let rows = query(first).fetch_all(&mut *transaction).await?;
            let rows: Vec<Row> = rows.iter().map(row).collect::<Result<_, _>>()?;
            if rows.is_empty() {
                transaction.rollback().await?;
                return Ok(rows);
            }
            for statement in then {
                query(statement).execute(&mut *transaction).await?;
            }
            transaction.commit().await?;
            Ok(rows)
        }
    };
}

pub(super) use driver;
