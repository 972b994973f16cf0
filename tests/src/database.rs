//! Changes the SQLite database directly, without the server.

use sqlx::{
    AssertSqlSafe, Connection, Executor,
    sqlite::{SqliteConnectOptions, SqliteConnection},
};

use crate::Stage;

/// Runs a statement; panics unless it changes at least one row.
#[track_caller]
pub fn tamper(stage: &Stage, statement: &str) {
    let changed = execute(&stage.data().join("orders.sqlite"), statement);
    assert!(changed > 0, "`{statement}` changed nothing");
}

/// Runs a statement. Returns the number of changed rows.
pub fn execute(database: &std::path::Path, statement: &str) -> u64 {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime can be started").block_on(async {
        let options = SqliteConnectOptions::new().filename(database);
        let mut database = SqliteConnection::connect_with(&options).await.expect("the database opens");
        let done = database.execute(AssertSqlSafe(statement.to_owned())).await.expect("it is SQL");
        database.close().await.expect("the database closes");
        done.rows_affected()
    })
}
