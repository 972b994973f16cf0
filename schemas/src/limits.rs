//! What a request may hold at most. Over it the caller gets a clear error.

/// Lines an order may have.
pub const LINES_MAX: usize = 500;
/// Units of one line.
pub const QUANTITY_MAX: u32 = 1_000_000;
/// Units of one receipt or adjustment.
pub const RECEIPT_MAX: u32 = 1_000_000_000;
/// Units of one SKU that may ever be received.
pub const RECEIVED_MAX: u64 = 1_000_000_000_000_000;
/// Characters of an order's notes.
pub const NOTES_CHARS_MAX: usize = 1_000;
/// Characters of a channel.
pub const CHANNEL_CHARS_MAX: usize = 100;
/// Characters of a reason.
pub const REASON_CHARS_MAX: usize = 500;
/// Characters of a product's name.
pub const PRODUCT_NAME_CHARS_MAX: usize = 200;
