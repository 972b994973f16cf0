//! The digest of a request's content: equal requests have equal digests, and different requests have different ones.
//!
//! The digest is the first 128 bits of BLAKE3 over the normalised fields in a fixed order. Each text is preceded by its
//! length, and each optional field by whether it is present. Two different requests therefore never have the same
//! bytes.

use orderflow_schemas::{
    Amount, Currency, IdempotencyKey, Lines, ShipmentEvent, Sku, Status,
    commands::{Fingerprint, PlaceOrder},
    returns::ReturnedUnits,
};

/// The bytes to digest.
struct Content(Vec<u8>);

impl Content {
    fn of(kind: u8) -> Self {
        let mut bytes = Vec::with_capacity(256);
        bytes.push(kind);
        Self(bytes)
    }

    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn signed(&mut self, number: i64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn optional<T>(&mut self, value: Option<T>, put: impl FnOnce(&mut Self, T)) {
        self.0.push(u8::from(value.is_some()));
        if let Some(value) = value {
            put(self, value);
        }
    }

    fn digest(&self) -> Fingerprint {
        let hash = blake3::hash(&self.0);
        let (first, _) = hash.as_bytes().split_first_chunk().expect("a BLAKE3 hash has 32 bytes");
        Fingerprint(u128::from_be_bytes(*first))
    }
}

/// The key of a line that has no key of its own, in a request that has one. It is a digest, so a key that a client
/// chose does not equal it by chance.
pub fn key_of_line(request: &IdempotencyKey, line: u64) -> IdempotencyKey {
    let mut content = Content::of(b'l');
    content.text(request.as_str());
    content.number(line);
    let Fingerprint(digest) = content.digest();
    IdempotencyKey::new(format!("line-{digest:032x}")).expect("a digest in hex is a short name")
}

/// The digest of a request to place an order.
pub fn of_order(order: &PlaceOrder) -> Fingerprint {
    let mut content = Content::of(b'o');
    match &order.lines {
        Lines::Skus(lines) => {
            content.text(order.currency.as_ref().map_or("", |currency| currency.as_str()));
            content.number(lines.len() as u64);
            for line in lines.iter() {
                content.text(line.sku.as_str());
                content.number(line.quantity.into());
                content.optional(line.unit_price, |content, Amount(price)| content.number(price));
            }
        }
        Lines::Items(items) => {
            content.text("items");
            content.number(items.len() as u64);
            for line in items.iter() {
                content.text(&line.item);
                content.number(line.quantity.into());
            }
        }
    }
    content.optional(order.channel.as_deref(), Content::text);
    content.optional(order.notes.as_deref(), Content::text);
    content.optional(order.placed_at, |content, time| content.signed(time.as_micros()));
    // Requests without it have the digest that they had before it existed.
    if let Some(seconds) = order.reserve_for {
        content.number(seconds.into());
    }
    content.digest()
}

/// The digest of a request to name the courier of an order.
pub fn of_courier(courier_id: Option<&str>) -> Fingerprint {
    let mut content = Content::of(b'k');
    content.optional(courier_id, Content::text);
    content.digest()
}

/// The digest of a report of a shipment's event.
pub fn of_shipment(event: &ShipmentEvent) -> Fingerprint {
    let mut content = Content::of(b'e');
    content.text(event.status.as_str());
    content.optional(event.carrier.as_deref(), Content::text);
    content.optional(event.tracking_number.as_deref(), Content::text);
    content.optional(event.location.as_deref(), Content::text);
    content.optional(event.occurred_at, |content, time| content.signed(time.as_micros()));
    content.optional(event.event_id.as_deref(), Content::text);
    content.digest()
}

/// The key of a report that has none of its own: its digest, if the time makes it the only one of its kind.
pub fn key_of_report(event: &ShipmentEvent) -> Option<IdempotencyKey> {
    event.occurred_at?;
    let Fingerprint(digest) = of_shipment(event);
    Some(IdempotencyKey::new(format!("report-{digest:032x}")).expect("a digest in hex is a short name"))
}

/// The digest of a request to take back units of an order.
pub fn of_return(lines: &[ReturnedUnits], reason: Option<&str>) -> Fingerprint {
    let mut content = Content::of(b'b');
    content.number(lines.len() as u64);
    for units in lines {
        content.number(units.line.into());
        content.number(units.quantity.into());
        content.number(units.to as u64);
    }
    content.optional(reason, Content::text);
    content.digest()
}

/// The digest of a request to receive stock.
pub fn of_receipt(sku: &Sku, quantity: u32) -> Fingerprint {
    let mut content = Content::of(b'r');
    content.text(sku.as_str());
    content.number(quantity.into());
    content.digest()
}

/// The digest of a request to adjust stock.
pub fn of_adjustment(sku: &Sku, delta: i64, reason: &str) -> Fingerprint {
    let mut content = Content::of(b'a');
    content.text(sku.as_str());
    content.signed(delta);
    content.text(reason);
    content.digest()
}

/// The digest of a request to move an order to the state that the body names.
pub fn of_status(status: &Status, reason: Option<&str>) -> Fingerprint {
    let mut content = Content::of(b's');
    content.text(status.as_str());
    content.optional(reason, Content::text);
    content.digest()
}

/// The digest of a request to perform an action on an order.
pub fn of_action(reason: Option<&str>) -> Fingerprint {
    let mut content = Content::of(b'c');
    content.optional(reason, Content::text);
    content.digest()
}

/// The digest of a request to put a product into the catalogue.
pub fn of_product(sku: &Sku, name: &str, Amount(unit_price): Amount, currency: Currency) -> Fingerprint {
    let mut content = Content::of(b'p');
    content.text(sku.as_str());
    content.text(name);
    content.number(unit_price);
    content.text(currency.as_str());
    content.digest()
}
