//! The loaders that the sink is measured against, written by hand for these tables alone. They start from finished
//! rows.

mod copy;
mod single;
mod unnest;

pub use copy::copy_and_merge;
pub use single::single_statement;
pub use unnest::unnest;

/// The clause for a row of `orders` whose key already exists.
pub const ORDERS_CONFLICT: &str = "ON CONFLICT (id) DO UPDATE SET status = excluded.status, \
    version = excluded.version, total = excluded.total, lines = excluded.lines, \
    fail_reason = excluded.fail_reason, failures = excluded.failures, updated_at = excluded.updated_at \
    WHERE excluded.version > orders.version";
/// The clause for a row of `stock` whose key already exists.
pub const STOCK_CONFLICT: &str = "ON CONFLICT (sku) DO UPDATE SET version = excluded.version, \
    received = excluded.received, available = excluded.available, reserved = excluded.reserved, \
    shipped = excluded.shipped, written_off = excluded.written_off, \
    name = coalesce(excluded.name, stock.name), unit_price = coalesce(excluded.unit_price, stock.unit_price), \
    currency = coalesce(excluded.currency, stock.currency) WHERE excluded.version > stock.version";
/// The clause for a row of `checkpoints` whose key already exists.
pub const CHECKPOINTS_CONFLICT: &str = "ON CONFLICT (topic, partition) DO UPDATE SET \
    next_offset = excluded.next_offset, number = excluded.number, unreadable = excluded.unreadable, \
    cause = excluded.cause WHERE excluded.next_offset >= checkpoints.next_offset";
