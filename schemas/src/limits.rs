//! The limits on the content of a request. A request over a limit is refused with a clear error.

/// The most lines of one order.
pub const LINES_MAX: usize = 500;
/// The most units of one line of an order.
pub const QUANTITY_MAX: u32 = 1_000_000;
/// The most units of one receipt or adjustment.
pub const RECEIPT_MAX: u32 = 1_000_000_000;
/// The most units of one SKU that may ever be received, over all receipts and adjustments.
pub const RECEIVED_MAX: u64 = 1_000_000_000_000_000;
/// The most characters of an order's notes.
pub const NOTES_CHARS_MAX: usize = 1_000;
/// The most characters of an order's sales channel.
pub const CHANNEL_CHARS_MAX: usize = 100;
/// The most characters of the reason for a status change or an adjustment.
pub const REASON_CHARS_MAX: usize = 500;
/// The most characters of a product's name.
pub const PRODUCT_NAME_CHARS_MAX: usize = 200;
/// The most characters of the carrier, the tracking number and the place of a shipment's event.
pub const SHIPMENT_CHARS_MAX: usize = 100;
/// The most characters of the id of an account or a machine client.
pub const SUBJECT_CHARS_MAX: usize = 255;
