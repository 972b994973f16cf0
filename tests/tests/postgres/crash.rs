//! Postgres or the server is killed under load: nothing acknowledged is lost, and nothing exists twice.

use orderflow_tests::{Cluster, Server, Stage, supply, wait_until};
use serde_json::Value;

use crate::crash::{Acknowledged, place};

const KILLS: usize = 3;
/// How many orders are placed at the same time.
const AT_ONCE: usize = 4;
/// How many orders are acknowledged between two kills, at least.
const BETWEEN: usize = 150;

/// Waits until `more` further orders have been acknowledged.
fn wait_more(acknowledged: &Acknowledged, more: usize) {
    let wanted = acknowledged.count() + more;
    wait_until("orders are acknowledged", || (acknowledged.count() >= wanted).then_some(()));
}

/// Places orders for several customers at once, runs `worst` meanwhile, and then kills the server.
fn under_load(server: Server, round: usize, acknowledged: &Acknowledged, worst: impl FnOnce()) {
    let ann = server.customer("ann");
    std::thread::scope(|scope| {
        for n in 0..AT_ONCE {
            let ann = &ann;
            scope.spawn(move || place(ann, round * AT_ONCE + n, acknowledged));
        }
        wait_more(acknowledged, BETWEEN);
        worst();
        server.kill();
    });
}

/// All orders, once the database shows everything acknowledged.
fn all_orders(server: &Server, acknowledged: &Acknowledged) -> Vec<Value> {
    let admin = server.admin();
    let count = || admin.get("/orders?page=1&limit=1").is(200).json()["total"].as_u64();
    let least = acknowledged.count() as u64;
    wait_until("the database has caught up", || (count() >= Some(least)).then_some(()));
    admin.wait_decided();
    admin.list("/orders", 1_000)
}

/// Checks after the last kill that everything exists and verification finds no difference.
fn nothing_is_lost(stage: &Stage, acknowledged: &Acknowledged) {
    let server = stage.serve();
    let all = all_orders(&server, acknowledged);
    acknowledged.are_there_once(&all);
    server.stop();
    stage.verify_clean();
}

#[test]
fn postgres_killed_under_load_loses_nothing_that_was_acknowledged() {
    let cluster = Cluster::start();
    let database = cluster.database();
    let (stage, acknowledged) = (Stage::new().database(&database), Acknowledged::default());
    let server = stage.serve();
    supply(&server.admin(), "tea", 100, 1_000_000);
    under_load(server, 0, &acknowledged, || {
        for _ in 0..KILLS {
            cluster.kill();
            wait_more(&acknowledged, BETWEEN);
            cluster.run();
            wait_more(&acknowledged, BETWEEN);
        }
    });
    nothing_is_lost(&stage, &acknowledged);
}

#[test]
fn a_server_on_postgres_killed_under_load_loses_nothing_that_was_acknowledged() {
    let cluster = Cluster::shared();
    let database = cluster.database();
    let (stage, acknowledged) = (Stage::new().database(&database), Acknowledged::default());
    for round in 0..KILLS {
        let server = stage.serve();
        if round == 0 {
            supply(&server.admin(), "tea", 100, 1_000_000);
        }
        under_load(server, round, &acknowledged, || {});
    }
    nothing_is_lost(&stage, &acknowledged);
}
