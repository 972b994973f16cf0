//! Runs the conformance tests of databases on Postgres.

use orderflow_database::postgres::checks;
use orderflow_tests::Cluster;

#[test]
fn postgres_keeps_the_contract_of_a_database() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    tokio::runtime::Runtime::new().unwrap().block_on(checks::run(&database.url));
}

#[test]
fn an_outage_is_told_as_one_and_ends_by_itself() {
    let cluster = Cluster::start();
    let database = cluster.database();
    let outage = checks::run_outage(&database.url, async || cluster.kill(), async || cluster.run());
    tokio::runtime::Runtime::new().unwrap().block_on(outage);
}
