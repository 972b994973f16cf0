//! Reservation: what is refused, and what becomes of a reservation when its time is over.

use std::fs;

use orderflow_tests::{Client, order, path_of, repository, supply, wait_levels, wait_until};
use serde_json::{Value, json};

use super::{follow::follow, people::Shop};

#[test]
fn the_page_of_reservations_is_true() {
    follow("reservation");
}

fn reserve(customer: &Client, units: u64, reserve_for: Value) -> orderflow_tests::Answer {
    let mut body = order(&[("seat", units)]);
    body["reserve_for"] = reserve_for;
    customer.post("/orders", &body)
}

#[test]
fn a_reservation_is_refused_for_what_is_wrong_with_it() {
    let shop = Shop::open("reservation");
    let (admin, ben) = (&shop.admin, shop.customer("Ben Okoro"));
    supply(admin, "seat", 4500, 5);
    for wrong in [json!(0), json!(-60), json!(59), json!(604_801), json!(60.5), json!("60"), json!(u64::MAX)]
    {
        let answer = reserve(&ben, 1, wrong.clone());
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.text());
        assert!(answer.text().contains("/reserve_for"), "{wrong}: {}", answer.text());
    }
    let path = path_of(&reserve(&ben, 3, json!(60)).is(201));
    let refused = reserve(&ben, 3, json!(60)).is_problem(409, "out-of-stock");
    assert_eq!(
        (&refused["order"]["status"], &refused["order"]["fail_reason"]),
        (&json!("failed"), &json!("out-of-stock"))
    );
    wait_levels(admin, "seat", [5, 2, 3, 0, 0]);

    // What this lifecycle does not have: nothing is approved, shipped or returned.
    ben.post(&format!("{path}/approve"), &json!({})).is_problem(409, "illegal-transition");
    let returned = json!({ "lines": [{ "line": 1, "quantity": 1, "to": "stock" }] });
    admin.post(&format!("{path}/returns"), &returned).is_problem(409, "returns-closed");

    let canceled = ben.delete(&path).is(200);
    ben.delete(&path).is_problem(409, "illegal-transition");
    for wrong in
        ["limit=0", "page=0", "page=1&cursor=x", "cursor=nonsense", "state=reserved", "status=RESERVED"]
    {
        let answer = ben.after(&canceled).get(&format!("/orders?{wrong}"));
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.text());
    }
    let page = ben.after(&canceled).get("/orders?page=1&limit=1&status=cancelled").is(200).json();
    assert_eq!((&page["total"], page["items"].as_array().map(Vec::len)), (&json!(1), Some(1)), "{page}");
    shop.close();
}

#[test]
fn a_reservation_whose_time_is_over_expires_and_gives_its_stock_back() {
    let text = fs::read_to_string(repository().join("pipelines/reservation.toml")).unwrap();
    let short = text.replace("min = \"1m\"", "min = \"1s\"");
    assert_ne!(text, short, "the shipped file has a minimum of one minute");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("short.toml");
    fs::write(&file, short).unwrap();

    let shop = Shop::open(file.to_str().unwrap());
    let ben = shop.customer("Ben Okoro");
    supply(&shop.admin, "seat", 4500, 5);
    let long = path_of(&reserve(&ben, 2, json!(3600)).is(201));
    let path = path_of(&reserve(&ben, 3, json!(1)).is(201));
    let expired = wait_until("the reservation expires", || {
        let answer = ben.get(&path);
        (answer.status == 200 && answer.json()["status"] == "expired").then(|| answer.json())
    });
    assert_eq!(expired["fail_reason"], "expired");
    wait_levels(&shop.admin, "seat", [5, 3, 2, 0, 0]);
    let history = ben.list(&format!("/search{path}/history"), 50);
    let statuses: Vec<_> = history.iter().map(|change| change["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["pending", "reserved", "expired"]);
    assert_eq!(history[2]["by"]["role"], "system");
    ben.delete(&path).is_problem(409, "illegal-transition");

    // Another reservation is not concerned, and what expired can be reserved again.
    assert_eq!(ben.get(&long).is(200).json()["status"], "reserved");
    reserve(&ben, 3, json!(3600)).is(201);
    shop.close();
}
