//! The published JSON Schemas: one document for each topic of commands or events, generated from the types.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Value, json};

use crate::{
    commands::{
        AdjustStock, AssignCourier, ChangeStatus, PlaceOrder, ReceiveStock, Release, ReportShipment, Reserve,
        ReturnOrder, ReturnUnits, SetProduct, Ship, StockReply, Tick,
    },
    envelope::{Cause, ENVELOPE_VERSION},
    events::{
        Change, CommandRejected, OrderChanged, OrderDeclined, OrderRepeated, OrderRequested, ProductUpdated,
        ShipmentRecorded, StockChanged, StockRefused, StockReleased, StockRepeated, StockReserved,
        StockReturned, StockShipped, Ticked,
    },
    time::Timestamp,
    topic::Topic,
};

/// The schemas, each with its file name in `json/`.
pub fn all() -> Vec<(String, Value)> {
    [Topic::OrdersCommands, Topic::OrdersEvents, Topic::StockCommands, Topic::StockEvents]
        .into_iter()
        .map(|topic| (format!("{topic}.schema.json"), of_topic(topic)))
        .collect()
}

fn of_topic(topic: Topic) -> Value {
    let mut generator = SchemaSettings::draft2020_12().into_generator();
    let kinds = kinds(&mut generator, topic);
    let records: Vec<Value> = kinds
        .into_iter()
        .map(|(kind, data)| json!({ "properties": { "type": { "const": kind }, "data": data } }))
        .collect();
    let cause = generator.subschema_for::<Cause>();
    let time = generator.subschema_for::<Timestamp>();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": format!("A record of {topic}"),
        "type": "object",
        "required": ["v", "type", "source", "number", "time", "data"],
        "properties": {
            "v": { "const": ENVELOPE_VERSION },
            "type": { "type": "string" },
            "source": { "type": "string", "description": "the source that numbered the record" },
            "number": { "type": "integer", "minimum": 1, "description": "counts for this source and partition" },
            "time": time,
            "cause": cause,
            "sent": { "type": "object", "additionalProperties": { "type": "integer" } },
            "traceparent": { "type": "string", "description": "W3C trace context" },
            "data": { "type": "object" }
        },
        "oneOf": records,
        "$defs": generator.take_definitions(true),
    })
}

fn kinds(generator: &mut SchemaGenerator, topic: Topic) -> Vec<(&'static str, schemars::Schema)> {
    match topic {
        Topic::OrdersCommands => vec![
            ("order.place", generator.subschema_for::<PlaceOrder>()),
            ("order.change_status", generator.subschema_for::<ChangeStatus>()),
            ("order.assign_courier", generator.subschema_for::<AssignCourier>()),
            ("order.report_shipment", generator.subschema_for::<ReportShipment>()),
            ("order.return", generator.subschema_for::<ReturnOrder>()),
            ("stock.reply", generator.subschema_for::<StockReply>()),
            ("clock.tick", generator.subschema_for::<Tick>()),
        ],
        Topic::OrdersEvents => {
            let changed = generator.subschema_for::<OrderChanged>();
            let mut kinds: Vec<_> =
                Change::ALL.iter().map(|change| (change.kind(), changed.clone())).collect();
            kinds.extend([
                ("order.requested", generator.subschema_for::<OrderRequested>()),
                ("order.declined", generator.subschema_for::<OrderDeclined>()),
                ("shipment.recorded", generator.subschema_for::<ShipmentRecorded>()),
                ("stock.replied", generator.subschema_for::<StockReply>()),
                ("clock.ticked", generator.subschema_for::<Ticked>()),
                ("command.rejected", generator.subschema_for::<CommandRejected>()),
                ("command.repeated", generator.subschema_for::<OrderRepeated>()),
            ]);
            kinds
        }
        Topic::StockCommands => vec![
            ("stock.receive", generator.subschema_for::<ReceiveStock>()),
            ("stock.adjust", generator.subschema_for::<AdjustStock>()),
            ("product.set", generator.subschema_for::<SetProduct>()),
            ("stock.reserve", generator.subschema_for::<Reserve>()),
            ("stock.release", generator.subschema_for::<Release>()),
            ("stock.ship", generator.subschema_for::<Ship>()),
            ("stock.return", generator.subschema_for::<ReturnUnits>()),
        ],
        Topic::StockEvents => vec![
            ("stock.received", generator.subschema_for::<StockChanged>()),
            ("stock.adjusted", generator.subschema_for::<StockChanged>()),
            ("product.updated", generator.subschema_for::<ProductUpdated>()),
            ("stock.reserved", generator.subschema_for::<StockReserved>()),
            ("stock.refused", generator.subschema_for::<StockRefused>()),
            ("stock.released", generator.subschema_for::<StockReleased>()),
            ("stock.shipped", generator.subschema_for::<StockShipped>()),
            ("stock.returned", generator.subschema_for::<StockReturned>()),
            ("command.rejected", generator.subschema_for::<CommandRejected>()),
            ("command.repeated", generator.subschema_for::<StockRepeated>()),
        ],
        Topic::DeadLetters => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    /// `ORDERFLOW_WRITE_SCHEMAS=1 cargo test -p orderflow-schemas` rewrites the files.
    #[test]
    fn published_schemas_are_those_of_the_types() {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("json");
        for (name, schema) in super::all() {
            let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
            let path = folder.join(&name);
            if std::env::var_os("ORDERFLOW_WRITE_SCHEMAS").is_some() {
                std::fs::create_dir_all(&folder).unwrap();
                std::fs::write(&path, &text).unwrap();
            }
            let published = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(
                published == text,
                "{name} differs from the types; write it anew and say so in CHANGELOG.md"
            );
        }
    }
}
