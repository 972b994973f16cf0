//! What the sink is measured against: loaders written by hand for these tables alone, from rows that are ready.

mod copy;
mod single;
mod unnest;

pub use copy::copy_and_merge;
pub use single::single_statement;
pub use unnest::unnest;

/// What a row of `orders` becomes when its key is there.
pub const ORDERS_CONFLICT: &str = "ON CONFLICT (id) DO UPDATE SET status = excluded.status, \
    version = excluded.version, total = excluded.total, lines = excluded.lines, \
    fail_reason = excluded.fail_reason, failures = excluded.failures, updated_at = excluded.updated_at \
    WHERE excluded.version > orders.version";
/// What a row of `stock` becomes when its key is there.
pub const STOCK_CONFLICT: &str = "ON CONFLICT (sku) DO UPDATE SET version = excluded.version, \
    received = excluded.received, available = excluded.available, reserved = excluded.reserved, \
    shipped = excluded.shipped, written_off = excluded.written_off, \
    name = coalesce(excluded.name, stock.name), unit_price = coalesce(excluded.unit_price, stock.unit_price), \
    currency = coalesce(excluded.currency, stock.currency) WHERE excluded.version > stock.version";
/// What a row of `checkpoints` becomes when its key is there.
pub const CHECKPOINTS_CONFLICT: &str = "ON CONFLICT (topic, partition) DO UPDATE SET \
    next_offset = excluded.next_offset, number = excluded.number, unreadable = excluded.unreadable, \
    cause = excluded.cause WHERE excluded.next_offset >= checkpoints.next_offset";
