//! Units of a shipped order that come back, by hand or as a whole. An order counts what came back of each of its lines,
//! and never takes back more than was shipped.

use std::{collections::BTreeMap, sync::Arc};

use orderflow_schemas::{
    Order, OrderEvent, OrderLine, Partition, StockCommand, Timestamp,
    commands::{ReleaseReason, ReturnOrder, ReturnUnits},
    events::{CommandRejected, Holding, RejectionCode},
    returns::{ReturnTo, ReturnedSku, ReturnedUnits},
};

use super::{
    Decided, Messages, OrderProcessor, Orders,
    change::{check_seller, is_seller},
    packed::Active,
    request::{Admitted, ChangeRequest, rejection},
    transition::{TransitionRequest, stay, unmoved},
};
use crate::Decision;

impl OrderProcessor {
    pub(super) fn take_back(&self, state: &Orders, command: &ReturnOrder, time: Timestamp) -> Decided {
        let request = ChangeRequest {
            kind: "order.return",
            order_id: command.order_id,
            by: &command.by,
            key: command.idempotency.as_ref().filter(|_| is_seller(&command.by)),
            if_match: command.if_match.as_deref(),
        };
        let Admitted { active, key } = match self.admit(state, request, time) {
            Ok(admitted) => admitted,
            Err(answer) => return Decision::event(*answer),
        };
        let checked = check_seller(request)
            .and_then(|()| self.check_order(active, request))
            .and_then(|active| self.check_return(&active, request, &command.lines).map(|()| active));
        let active = match checked {
            Ok(active) => active,
            Err(refusal) => return Decision::event(rejection(*refusal, key)),
        };
        let returned = add(&active.order.returned, &command.lines);
        let messages = self.return_units(&active.order, &command.lines);
        let step = TransitionRequest {
            by: &command.by,
            reason: command.reason.clone(),
            release: ReleaseReason::Canceled,
            time,
            key,
            shipment: None,
        };
        let event = self.returned(&active, returned, step);
        Decision::sending(event, messages)
    }

    /// Refuses a return of units that were not shipped or came back already, and a return when the time for it is over.
    fn check_return(
        &self,
        active: &Active,
        request: ChangeRequest<'_>,
        lines: &[ReturnedUnits],
    ) -> Result<(), Box<CommandRejected>> {
        let status = &active.order.status;
        let state = self.lifecycle.find(status.as_str());
        let takes_returns = state.is_some_and(|state| self.lifecycle.state(state).returns);
        if !takes_returns || active.holding != Holding::Shipped {
            let detail = format!("an order that is {status} takes no returns");
            return Err(Box::new(request.refuse(RejectionCode::ReturnsClosed, detail)));
        }
        let left: BTreeMap<u32, u32> =
            rest(&active.order).iter().map(|units| (units.line, units.quantity)).collect();
        let mut asked: BTreeMap<u32, u64> = BTreeMap::new();
        for units in lines {
            let asked = asked.entry(units.line).or_default();
            *asked += u64::from(units.quantity);
            let left = left.get(&units.line).copied().unwrap_or(0);
            if *asked > u64::from(left) || units.quantity == 0 {
                let detail = format!("line {}: {left} units can still be returned", units.line);
                return Err(Box::new(request.refuse(RejectionCode::MoreThanShipped, detail)));
            }
        }
        Ok(())
    }

    /// The event for an order of which these units have come back. The order moves if nothing is left.
    fn returned(
        &self,
        active: &Active,
        returned: Arc<[ReturnedUnits]>,
        step: TransitionRequest<'_>,
    ) -> OrderEvent {
        let order = Order { returned, ..Order::clone(&active.order) };
        let from = self.lifecycle.find(order.status.as_str());
        let transition = from.and_then(|from| self.lifecycle.on_returned(from));
        if let Some(transition) = transition.filter(|_| rest(&order).is_empty()) {
            let active = Active { order: Arc::new(order), ..active.clone() };
            return self.transition(&active, &[transition], step).0;
        }
        stay(active, Order { returned: order.returned, ..unmoved(active, step.time) }, step)
    }

    /// One `stock.return` to each stock partition concerned, in ascending order.
    pub(super) fn return_units(&self, order: &Order, units: &[ReturnedUnits]) -> Messages {
        let mut by_partition: BTreeMap<Partition, Vec<ReturnedSku>> = BTreeMap::new();
        for ReturnedUnits { line, quantity, to } in units {
            let Some(line) = line_of(order, *line) else { continue };
            let returned = ReturnedSku { sku: line.sku.clone(), quantity: *quantity, to: *to };
            by_partition.entry(self.stock_partition(line)).or_default().push(returned);
        }
        let message = |(partition, mut lines): (Partition, Vec<ReturnedSku>)| {
            // The sort is stable: lines of one SKU become adjacent, and otherwise keep their order.
            lines.sort_by(|a, b| a.sku.cmp(&b.sku));
            (partition, StockCommand::Return(ReturnUnits { order_id: order.id, lines }))
        };
        by_partition.into_iter().map(message).collect()
    }
}

/// The line with this number, from 1.
fn line_of(order: &Order, line: u32) -> Option<&OrderLine> {
    order.lines.skus().get((line as usize).checked_sub(1)?)
}

/// The units of each line that have not come back, to go to stock. Lines of which nothing is left are not listed.
pub(super) fn rest(order: &Order) -> Vec<ReturnedUnits> {
    let left = |(line, ordered): (u32, &OrderLine)| {
        let returned = order.returned.iter().filter(|units| units.line == line).map(|units| units.quantity);
        let quantity = ordered.quantity.saturating_sub(returned.sum::<u32>());
        (quantity > 0).then_some(ReturnedUnits { line, quantity, to: ReturnTo::Stock })
    };
    (1..).zip(order.lines.skus()).filter_map(left).collect()
}

/// The sums for each line and destination.
pub(super) fn add(returned: &[ReturnedUnits], more: &[ReturnedUnits]) -> Arc<[ReturnedUnits]> {
    let mut sums: BTreeMap<(u32, ReturnTo), u32> = BTreeMap::new();
    for units in returned.iter().chain(more) {
        *sums.entry((units.line, units.to)).or_default() += units.quantity;
    }
    sums.into_iter().map(|((line, to), quantity)| ReturnedUnits { line, quantity, to }).collect()
}
