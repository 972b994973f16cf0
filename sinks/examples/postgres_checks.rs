//! Tries a Postgres server: `cargo run --example postgres_checks -- postgres://user@host/database`.
//!
//! Runs all checks of the database sink over it, in schemas that are removed at the end.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("usage: postgres_checks URL")?;
    orderflow_sinks::database::postgres::checks::run(&url).await;
    println!("all checks hold");
    Ok(())
}
