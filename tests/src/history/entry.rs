//! The types of a history: what clients asked, and how the server answered.

use serde_json::Value;

use crate::Answer;

/// A request of a client. The checks assume the default lifecycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Place an order.
    Place {
        /// The customer who orders.
        customer: String,
        /// SKUs and units.
        lines: Vec<(String, u64)>,
    },
    /// Move an order to another state.
    Change {
        /// The id of the order.
        order: String,
        /// The target state.
        to: String,
    },
    /// Receive units of a SKU.
    Receive {
        /// The SKU that is received.
        sku: String,
        /// The number of units received.
        units: u64,
    },
    /// Correct the available units of a SKU.
    Adjust {
        /// The SKU that is corrected.
        sku: String,
        /// The change of the available units; negative if units are lost.
        delta: i64,
    },
    /// Read the levels of a SKU, under the position of an own write.
    Look {
        /// The SKU that is read.
        sku: String,
        /// When that write was invoked. The levels read are at least as new.
        since: u64,
    },
    /// Read an order under the position of an answer about it.
    Read {
        /// The id of the order.
        order: String,
        /// The version in that answer. The version read is at least this one.
        at_least: u64,
    },
}

/// The answer that a client got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The order at the time of the answer.
    Order(Order),
    /// The id of an order that will be decided.
    Named(String),
    /// The levels of a SKU.
    Levels(Levels),
    /// The request was refused with this problem type, and nothing has changed.
    Refused(String),
    /// The answer does not tell whether the request took effect: the connection broke, or the server could not know.
    Unknown,
}

/// An order as the server showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The id of the order.
    pub id: String,
    /// The id of its customer.
    pub customer: String,
    /// The idempotency key that it was placed under.
    pub key: Option<String>,
    /// The state of the order.
    pub status: String,
    /// The version of the order, counted from 1.
    pub version: u64,
    /// SKUs and units of the lines.
    pub lines: Vec<(String, u64)>,
    /// The available units of the SKUs that were short.
    pub short: Vec<(String, u64)>,
    /// The members that do not change once the order is decided.
    pub content: Value,
}

/// The units of a SKU: received, available, reserved, shipped and written off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Levels {
    /// Units that have ever been received or found.
    pub received: u64,
    /// Units that can be ordered.
    pub available: u64,
    /// Units that are reserved for orders.
    pub reserved: u64,
    /// Units that have left with orders.
    pub shipped: u64,
    /// Units that were lost.
    pub written_off: u64,
}

/// A request with its answer.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The number of the client, or `usize::MAX` for the setup.
    pub client: usize,
    /// The idempotency key it was sent under. Repeats have the same key.
    pub key: Option<String>,
    /// The request.
    pub operation: Operation,
    /// The time on the history's clock before the request was sent.
    pub invoked: u64,
    /// The time on the history's clock after the answer arrived.
    pub completed: u64,
    /// The answer.
    pub outcome: Outcome,
}

impl Order {
    /// Reads an order from its JSON.
    #[track_caller]
    pub fn of(order: &Value) -> Self {
        let text = |name: &str| order[name].as_str().map(str::to_owned);
        let must = |name: &str| text(name).unwrap_or_else(|| panic!("no {name}: {order}"));
        let units = |list: &str, units: &str| -> Vec<(String, u64)> {
            let items = order[list].as_array().into_iter().flatten();
            items.filter_map(|item| Some((item["sku"].as_str()?.to_owned(), item[units].as_u64()?))).collect()
        };
        let mut content = order.clone();
        if let Some(members) = content.as_object_mut() {
            for changing in ["status", "version", "updated_at", "fail_reason"] {
                members.remove(changing);
            }
        }
        Self {
            id: must("id"),
            customer: must("customer_id"),
            key: text("idempotency_key"),
            status: must("status"),
            version: order["version"].as_u64().unwrap_or_else(|| panic!("no version: {order}")),
            lines: units("lines", "quantity"),
            short: units("failures", "available"),
            content,
        }
    }

    /// Units of a SKU in all lines.
    pub fn units(&self, sku: &str) -> u64 {
        self.lines.iter().filter(|(of, _)| of == sku).map(|(_, units)| units).sum()
    }
}

impl Levels {
    /// Reads the levels from the JSON of a SKU.
    #[track_caller]
    pub fn of(stock: &Value) -> Self {
        let [received, available, reserved, shipped, written_off] = crate::levels(stock);
        Self { received, available, reserved, shipped, written_off }
    }

    /// Whether the received units equal the sum of available, reserved, shipped and written-off units.
    pub fn balance(&self) -> bool {
        let Self { received, available, reserved, shipped, written_off } = self;
        *received == available + reserved + shipped + written_off
    }
}

impl Outcome {
    /// The meaning of a response to this operation. Panics on a response that no client should ever get.
    #[track_caller]
    pub fn of(operation: &Operation, answer: &Answer) -> Self {
        let slug = || answer.json()["type"].as_str().unwrap_or("about:blank").to_owned();
        match (answer.status, operation) {
            (200, Operation::Receive { .. } | Operation::Adjust { .. } | Operation::Look { .. }) => {
                Self::Levels(Levels::of(&answer.json()))
            }
            (200 | 201, _) => Self::Order(Order::of(&answer.json())),
            (202, Operation::Place { .. }) => {
                Self::Named(answer.json()["id"].as_str().expect("202 names the order").to_owned())
            }
            // The command is durable, but not decided yet.
            (202, _) => Self::Unknown,
            (409, Operation::Place { .. }) if answer.json()["order"].is_object() => {
                Self::Order(Order::of(&answer.json()["order"]))
            }
            (503, _) if slug() == "log-unavailable" => Self::Unknown,
            (400..=499 | 503, _) => Self::Refused(slug()),
            (status, _) => panic!("{operation:?} was answered {status}: {}", answer.text()),
        }
    }

    /// Whether the answer confirms that the request took effect.
    pub fn is_yes(&self) -> bool {
        matches!(self, Self::Order(_) | Self::Named(_) | Self::Levels(_))
    }
}
