//! The table of routes, roles and scopes in `docs/ACCESS.md`.

use std::fmt::Write;

use orderflow_schemas::Role;
use orderflow_web::{
    Reach, Route,
    access::{Action, ROLES},
};

use crate::{openapi, reference::compare};

fn cells(action: Action) -> String {
    let reach = |role: Role| match action.reach(role) {
        None => "–",
        Some(Reach::Own) => "own",
        Some(Reach::Handed) => "handed",
        Some(Reach::All) => "all",
    };
    let scope = match action.scope() {
        Some(scope) => format!("`{}`", scope.as_str()),
        None if action.needs_all_scopes() => "all of the role".to_owned(),
        None => "–".to_owned(),
    };
    format!("{} | {scope}", ROLES.map(reach).join(" | "))
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
}
