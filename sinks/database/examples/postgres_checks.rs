//! Tries a Postgres server: `cargo run --example postgres_checks -- postgres://user@host/database [STOP START]`.
//!
//! Runs all checks of the database sink over the server, in schemas that are removed at the end. With two shell
//! commands that stop and start the server, it also runs the checks of an outage.

#![expect(clippy::print_stdout, reason = "an example talks to its user")]

use orderflow_database::postgres::checks;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().ok_or("usage: postgres_checks URL [STOP START]")?;
    checks::run(&url).await;
    if let (Some(stop), Some(start)) = (arguments.next(), arguments.next()) {
        checks::run_outage(&url, async || shell(&stop).await, async || shell(&start).await).await;
    }
    println!("all checks hold");
    Ok(())
}

async fn shell(command: &str) {
    let status = std::process::Command::new("sh").arg("-c").arg(command).status();
    assert!(status.is_ok_and(|status| status.success()), "{command}");
}
