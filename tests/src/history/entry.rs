//! What clients asked and what they were told: the vocabulary of a history.

use serde_json::Value;

use crate::Answer;

/// What a client asks for. The checks are written for the default lifecycle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Place an order of so many units of each SKU.
    Place {
        /// Whose order.
        customer: String,
        /// The SKUs and their units.
        lines: Vec<(String, u64)>,
    },
    /// Move an order to a state.
    Change {
        /// Its id.
        order: String,
        /// The state.
        to: String,
    },
    /// Receive units of a SKU.
    Receive {
        /// The SKU.
        sku: String,
        /// How many.
        units: u64,
    },
    /// Correct what is available of a SKU.
    Adjust {
        /// The SKU.
        sku: String,
        /// By how much.
        delta: i64,
    },
    /// Look at the levels of a SKU under the position of an own write.
    Look {
        /// The SKU.
        sku: String,
        /// When that write was invoked: the levels are not older.
        since: u64,
    },
    /// Read an order under the position of an answer about it.
    Read {
        /// Its id.
        order: String,
        /// The version that answer told.
        at_least: u64,
    },
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The order, as it stood.
    Order(Order),
    /// An order will be decided; this is its id.
    Named(String),
    /// Levels of stock.
    Levels(Levels),
    /// No, for a reason with this name; nothing has changed.
    Refused(String),
    /// Nothing that tells whether it has happened: the connection died, or the server could not know.
    Unknown,
}

/// An order as it was shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its id.
    pub id: String,
    /// Whose it is.
    pub customer: String,
    /// The key it was placed under.
    pub key: Option<String>,
    /// Its state.
    pub status: String,
    /// Its version.
    pub version: u64,
    /// SKUs and units.
    pub lines: Vec<(String, u64)>,
    /// What stock had of the SKUs that were short.
    pub short: Vec<(String, u64)>,
    /// All that does not change once the order is decided.
    pub content: Value,
}

/// Received, available, reserved, shipped and written off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Levels {
    /// All that ever came in.
    pub received: u64,
    /// What can be ordered.
    pub available: u64,
    /// What orders hold.
    pub reserved: u64,
    /// What has left with orders.
    pub shipped: u64,
    /// What was lost.
    pub written_off: u64,
}

/// A request with its answer.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The number of the client.
    pub client: usize,
    /// The key it was sent under; repeats have the same.
    pub key: Option<String>,
    /// What was asked.
    pub operation: Operation,
    /// When, by the history's clock.
    pub invoked: u64,
    /// When the answer was there.
    pub completed: u64,
    /// The answer.
    pub outcome: Outcome,
}

impl Order {
    /// From the JSON of an order.
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
    /// From the JSON of a SKU.
    #[track_caller]
    pub fn of(stock: &Value) -> Self {
        let [received, available, reserved, shipped, written_off] = crate::levels(stock);
        Self { received, available, reserved, shipped, written_off }
    }

    /// Whether what came in is what is there, held, gone or lost.
    pub fn balance(&self) -> bool {
        let Self { received, available, reserved, shipped, written_off } = self;
        *received == available + reserved + shipped + written_off
    }
}

impl Outcome {
    /// What an answer to this operation says. An answer nobody should ever get panics.
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
            // Durable, and its decision is to come.
            (202, _) => Self::Unknown,
            (409, Operation::Place { .. }) if answer.json()["order"].is_object() => {
                Self::Order(Order::of(&answer.json()["order"]))
            }
            (503, _) if slug() == "log-unavailable" => Self::Unknown,
            (400..=499 | 503, _) => Self::Refused(slug()),
            (status, _) => panic!("{operation:?} was answered {status}: {}", answer.text()),
        }
    }

    /// Whether something is known to have happened.
    pub fn is_yes(&self) -> bool {
        matches!(self, Self::Order(_) | Self::Named(_) | Self::Levels(_))
    }
}
