//! The tables in `docs/ACCESS.md`: routes, roles and scopes, and for each built-in lifecycle who may move orders.

use std::fmt::Write;

use orderflow_schemas::{
    Lifecycle, Role, ShipmentStatus,
    lifecycle::{StateId, Transition, Trigger},
};
use orderflow_web::{
    Reach, Route,
    access::{Action, ROLES},
};

use crate::{openapi, reference::compare, settings::BUILT_IN};

fn reach_cell(reach: Option<Reach>) -> &'static str {
    match reach {
        None => "–",
        Some(Reach::Own) => "own",
        Some(Reach::Handed) => "handed",
        Some(Reach::All) => "all",
    }
}

fn cells(action: Action) -> String {
    let scope = match action.scope() {
        Some(scope) => format!("`{}`", scope.as_str()),
        None if action.needs_all_scopes() => "all of the role".to_owned(),
        None => "–".to_owned(),
    };
    format!("{} | {scope}", ROLES.map(|role| reach_cell(action.reach(role))).join(" | "))
}

/// What the document says about one lifecycle.
fn section(lifecycle: &Lifecycle) -> String {
    let roles = ROLES.map(Role::as_str).join(" | ");
    let mut text = format!("\n### {}\n\n| from | to | action | {roles} |\n", lifecycle.name);
    text += "|---|---|---|---|---|---|---|---|\n";
    for transition in lifecycle.transitions() {
        let Trigger::By(by) = transition.trigger else { continue };
        let reach = |role| Action::MoveOrder.reach(role).filter(|_| by.contains(role));
        let cells = ROLES.map(|role| reach_cell(reach(role))).join(" | ");
        let (ends, action) = (ends(lifecycle, transition, " | "), action(lifecycle, transition.to));
        writeln!(text, "| {ends} | {action} | {cells} |").unwrap();
    }
    let handed = |state: StateId| lifecycle.is_handed_to_couriers(state);
    let returns = |state: StateId| lifecycle.state(state).returns;
    writeln!(text, "\n- Without a caller: {}.", by_itself(lifecycle)).unwrap();
    writeln!(text, "- Handed to couriers: {}.", states(lifecycle, handed)).unwrap();
    writeln!(text, "- Reports of shipments that move an order: {}.", reports(lifecycle)).unwrap();
    writeln!(text, "- Returns are taken in: {}.", states(lifecycle, returns)).unwrap();
    text
}

fn ends(lifecycle: &Lifecycle, transition: &Transition, between: &str) -> String {
    let name = |state| &lifecycle.state(state).name;
    format!("`{}`{between}`{}`", name(transition.from), name(transition.to))
}

/// The actions that are names for a move to this state.
fn action(lifecycle: &Lifecycle, to: StateId) -> String {
    let name = &lifecycle.state(to).name;
    let names = ["approve", "reject", "cancel"];
    let actions = names.into_iter().filter(|action| lifecycle.action(action) == Some(name));
    listed(actions.map(|action| format!("`{action}`")), "–")
}

fn by_itself(lifecycle: &Lifecycle) -> String {
    let moves = lifecycle.transitions().iter().filter_map(|transition| {
        let when = match transition.trigger {
            Trigger::By(_) => return None,
            Trigger::Reserved => "when stock holds all lines".to_owned(),
            Trigger::Refused => "when stock is short".to_owned(),
            Trigger::Returned => "when all units have come back".to_owned(),
            Trigger::ReservationEnds => "when the time of the reservation is over".to_owned(),
            Trigger::After(time) => format!("after {}", humantime::format_duration(time)),
        };
        Some(format!("{} {when}", ends(lifecycle, transition, " to ")))
    });
    listed(moves, "nothing")
}

fn reports(lifecycle: &Lifecycle) -> String {
    let reports = ShipmentStatus::ALL.into_iter().filter_map(|status| {
        let state = lifecycle.on_shipment(status)?;
        Some(format!("`{}` to `{}`", status.as_str(), lifecycle.state(state).name))
    });
    listed(reports, "none")
}

fn states(lifecycle: &Lifecycle, is_meant: impl Fn(StateId) -> bool) -> String {
    let meant = lifecycle.states().filter(|(state, _)| is_meant(*state));
    listed(meant.map(|(_, state)| format!("`{}`", state.name)), "no state")
}

fn listed(items: impl Iterator<Item = String>, none: &str) -> String {
    let items: Vec<_> = items.collect();
    if items.is_empty() { none.to_owned() } else { items.join(", ") }
}

#[test]
fn the_documents_have_the_access_table() {
    let mut routes = openapi::all_routes();
    routes.sort_by_key(|route| (route.path, route.method.to_string()));
    let roles = ROLES.map(Role::as_str).join(" | ");
    let mut table = format!("\n| route | {roles} | scope |\n|---|---|---|---|---|---|---|\n");
    for Route { method, path, action, .. } in routes {
        let cells = action.map_or("open | open | open | open | open | –".to_owned(), cells);
        writeln!(table, "| `{method} {path}` | {cells} |").unwrap();
    }
    compare("docs/ACCESS.md", "routes", &(table + "\n"));
    let lifecycles = BUILT_IN.map(|(_, text)| section(&Lifecycle::parse(text).unwrap())).concat();
    compare("docs/ACCESS.md", "lifecycles", &(lifecycles + "\n"));
}
