//! A lifecycle as a Mermaid state diagram.

use std::fmt::Write;

use super::{Lifecycle, StockEffect, Transition, Trigger, Visible};
use crate::order::Role;

pub(super) fn mermaid(lifecycle: &Lifecycle) -> String {
    let mut out = format!("---\ntitle: {}\n---\nstateDiagram-v2\n", lifecycle.name);
    let initial = &lifecycle.state(lifecycle.initial).name;
    let reserve = match (lifecycle.initial_stock, lifecycle.visible) {
        (None, _) => ": place",
        (Some(_), Visible::Placed) => ": place / reserve",
        (Some(_), Visible::Reserved) => ": place, once stock is reserved",
    };
    writeln!(out, "    [*] --> {initial}{reserve}").expect("a string takes all text");
    for transition in &lifecycle.transitions {
        let (from, to) = (&lifecycle.state(transition.from).name, &lifecycle.state(transition.to).name);
        writeln!(out, "    {from} --> {to}: {}", label(transition)).expect("a string takes all text");
    }
    for (_, state) in lifecycle.states().filter(|(_, state)| state.outcome.is_some()) {
        writeln!(out, "    {} --> [*]", state.name).expect("a string takes all text");
    }
    out
}

fn label(transition: &Transition) -> String {
    let mut label = match transition.trigger {
        Trigger::By(roles) => {
            let roles = [Role::Customer, Role::Admin, Role::Courier, Role::Service]
                .into_iter()
                .filter(|role| roles.contains(*role));
            roles.map(Role::as_str).collect::<Vec<_>>().join(", ")
        }
        Trigger::Reserved => "stock reserved".to_owned(),
        Trigger::Refused => "stock refused".to_owned(),
        Trigger::Returned => "all units returned".to_owned(),
        Trigger::ReservationEnds => "reservation ends".to_owned(),
        Trigger::After(duration) => format!("after {}", humantime::format_duration(duration)),
    };
    label += match transition.stock {
        Some(StockEffect::Reserve) => " / reserve",
        Some(StockEffect::Release) => " / release",
        Some(StockEffect::Ship) => " / ship",
        Some(StockEffect::Return) => " / return",
        None => "",
    };
    label
}
