//! Checks of what must hold when the database fails or does not fit.

use orderflow_sinks::SinkError;

use super::{Content, Subject, apply, content, open};
use crate::{
    DatabaseError,
    samples::{batch, changed, id, order, reserved},
};

pub(super) async fn a_store_of_another_log_is_refused_by_name(subject: &dyn Subject) {
    let (this, other) = ("this".parse().expect("an id"), "other".parse().expect("an id"));
    let mut opened = open(subject, "claimed").await;
    assert_eq!(opened.audit.log().await.expect("it can be read"), None);
    for _ in 0..2 {
        opened.sink.claim(&this).await.expect("nobody else has the store");
        opened = open(subject, "claimed").await;
        let error = opened.sink.claim(&other).await.expect_err("the rows are of another log");
        let SinkError::Stop { source, .. } = error else { panic!("it stays so: {error}") };
        let text = source.to_string();
        assert!(text.contains("the log this,") && text.contains("the log other:"), "{text}");
    }
    assert_eq!(opened.audit.log().await.expect("it can be read"), Some(this));
}

pub(super) async fn an_error_in_the_middle_leaves_neither_rows_nor_checkpoint(subject: &dyn Subject) {
    let mut opened = open(subject, "middle").await;
    let execute = async |sql| subject.execute("middle", sql).await.expect("a table can be renamed");
    execute("ALTER TABLE stock RENAME TO stock_away").await;
    let batch = batch((0, vec![changed(order(1, 1, "CREATED"))]), (0, vec![reserved("A", 1)]));
    for _ in 0..2 {
        let error = opened.sink.apply(&batch.0, &batch.1).await.expect_err("a table is missing");
        assert!(matches!(error, SinkError::Stop { .. }), "{error}");
    }
    execute("ALTER TABLE stock_away RENAME TO stock").await;
    assert_eq!(content(&*opened.audit).await, Content::default());
    apply(&mut *opened.sink, &batch).await;
    assert_eq!(content(&*opened.audit).await.checkpoint, batch.1);
}

pub(super) async fn a_newer_schema_is_refused_by_name(subject: &dyn Subject) {
    drop(open(subject, "newer").await);
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 SELECT 999, description, success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
    subject.execute("newer", newer).await.expect("a row can be added");
    let error = subject.open("newer").await.err().expect("it must be refused");
    assert!(matches!(error, DatabaseError::Newer { found: 999, .. }), "{error}");
}

pub(super) async fn a_damaged_row_is_named(subject: &dyn Subject) {
    let mut opened = open(subject, "damaged").await;
    apply(&mut *opened.sink, &batch((0, vec![changed(order(1, 1, "CREATED"))]), (0, vec![]))).await;
    subject.execute("damaged", "UPDATE orders SET total = -1").await.expect("a row can be changed");
    let error = opened.reader.order(id(1)).await.expect_err("no total is negative");
    assert!(matches!(error, DatabaseError::Damaged { table: "orders", column: "total", .. }), "{error}");
    assert!(!error.is_transient());
}
