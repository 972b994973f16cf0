//! Every record that can be written can be read again. Bytes that are not a record give an error, never a panic.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use orderflow_schemas::{commands::*, envelope::TraceParent, events::*, order::*, returns::*, *};
use proptest::{collection::vec, option, prelude::*};

fn name<const MAX: usize, K>() -> impl Strategy<Value = ids::Name<K, MAX>> {
    "[A-Za-z0-9\"\\\\_é-]{1,20}".prop_map(|text| ids::Name::new(text).unwrap())
}

fn text() -> impl Strategy<Value = compact_str::CompactString> {
    "\\PC{0,40}".prop_map(Into::into)
}

fn time() -> impl Strategy<Value = Timestamp> {
    (Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros()).prop_map(Timestamp::from_micros)
}

fn order_id() -> impl Strategy<Value = OrderId> {
    any::<u128>().prop_map(|bits| OrderId::from_uuid(uuid::Uuid::from_u128(bits)))
}

fn currency() -> impl Strategy<Value = Currency> {
    prop_oneof![Just("EUR"), Just("USD"), Just("ZWG")].prop_map(|code| code.parse().unwrap())
}

fn actor() -> impl Strategy<Value = Actor> {
    (prop_oneof![Just(Role::Customer), Just(Role::Admin), Just(Role::System)], text())
        .prop_map(|(role, subject)| Actor { role, subject })
}

fn lines() -> impl Strategy<Value = Vec<OrderLine>> {
    let line = (name(), 1..1_000_000u32, option::of((0..1u64 << 40).prop_map(Amount)));
    vec(line.prop_map(|(sku, quantity, unit_price)| OrderLine { sku, quantity, unit_price }), 0..5)
}

fn idempotency() -> impl Strategy<Value = Idempotency> {
    (name(), any::<u128>()).prop_map(|(key, bits)| Idempotency { key, fingerprint: Fingerprint(bits) })
}

fn change_key() -> impl Strategy<Value = ChangeKey> {
    (name(), text(), any::<u128>()).prop_map(|(key, call, bits)| ChangeKey {
        key,
        call,
        fingerprint: Fingerprint(bits),
    })
}

fn used_key() -> impl Strategy<Value = UsedKey> {
    any::<(u128, u128)>().prop_map(|(digest, fingerprint)| UsedKey {
        digest: KeyDigest(digest),
        fingerprint: Fingerprint(fingerprint),
    })
}

fn rejected() -> impl Strategy<Value = CommandRejected> {
    (option::of(order_id()), option::of(used_key()), any::<bool>(), option::of(any::<u64>())).prop_map(
        |(order_id, key, repeated, version)| CommandRejected {
            command: "order.change_status".into(),
            code: RejectionCode::IllegalTransition,
            detail: "no".to_owned(),
            order_id,
            sku: None,
            allowed: None,
            version,
            key,
            repeated,
        },
    )
}

fn failure() -> impl Strategy<Value = Failure> {
    (name(), any::<u32>(), any::<u64>(), option::of(currency())).prop_map(
        |(sku, requested, available, currency)| Failure {
            sku,
            problem: FailureCode::PriceChanged,
            requested,
            available,
            unit_price: None,
            currency,
        },
    )
}

fn place() -> impl Strategy<Value = PlaceOrder> {
    let head = (order_id(), name(), currency(), lines());
    let tail =
        (option::of(text()), option::of(text()), option::of(time()), option::of(idempotency()), actor());
    (head, tail).prop_map(
        |((order_id, customer_id, currency, lines), (channel, notes, placed_at, idempotency, by))| {
            let reserve_for = placed_at.map(|time: Timestamp| time.as_micros() as u32);
            let (currency, lines) = (Some(currency), lines.into());
            PlaceOrder {
                order_id,
                customer_id,
                currency,
                lines,
                channel,
                notes,
                placed_at,
                reserve_for,
                idempotency,
                by,
            }
        },
    )
}

fn order() -> impl Strategy<Value = Order> {
    (place(), name(), 1..u64::MAX, option::of((0..1u64 << 50).prop_map(Amount)), vec(failure(), 0..3), time())
        .prop_map(|(place, status, version, total, failures, time)| Order {
            id: place.order_id,
            customer_id: place.customer_id,
            status,
            version,
            currency: place.currency,
            total,
            lines: place.lines,
            channel: place.channel.clone(),
            notes: place.notes.clone(),
            fail_reason: None,
            failures: failures.into(),
            idempotency_key: place.idempotency.map(|i| i.key),
            placed_at: time,
            created_at: time,
            updated_at: time,
            reserve_for: place.reserve_for,
            courier_id: place.notes.clone(),
            acted_by: place.channel.clone(),
            acted_at: place.placed_at,
            returned: Arc::from([ReturnedUnits { line: 1, quantity: 2, to: ReturnTo::Stock }]),
        })
}

fn order_command() -> impl Strategy<Value = OrderCommand> {
    prop_oneof![
        place().prop_map(OrderCommand::Place),
        (
            order_id(),
            name(),
            option::of(vec(any::<u64>(), 0..3)),
            option::of(text()),
            option::of(change_key()),
            actor()
        )
            .prop_map(|(order_id, status, if_match, reason, idempotency, by)| {
                OrderCommand::ChangeStatus(ChangeStatus {
                    order_id,
                    status,
                    if_match,
                    reason,
                    idempotency,
                    by,
                })
            }),
        (order_id(), vec(failure(), 0..3)).prop_map(|(order_id, failures)| OrderCommand::StockReply(
            StockReply { order_id, partition: Partition(3), outcome: ReservationOutcome::Refused(failures) }
        )),
        Just(OrderCommand::Tick(Tick {})),
    ]
}

fn order_event() -> impl Strategy<Value = OrderEvent> {
    let change = prop::sample::select(&Change::ALL[..]);
    prop_oneof![
        (change, order(), option::of(name()), option::of(text()), option::of(used_key()), actor()).prop_map(
            |(change, order, from, reason, key, by)| {
                OrderEvent::Changed(
                    change,
                    OrderChanged {
                        order: Arc::new(order),
                        from,
                        holding: Holding::Asked,
                        due: None,
                        key,
                        reason,
                        shipment: None,
                        by,
                    },
                )
            }
        ),
        (order_id(), vec((0..1u64 << 40).prop_map(Amount), 0..4)).prop_map(|(order_id, prices)| {
            let outcome = ReservationOutcome::Held(prices);
            OrderEvent::StockReplied(StockReply { order_id, partition: Partition(1), outcome })
        }),
        (order_id(), order_id(), option::of(order())).prop_map(|(requested, order_id, order)| {
            OrderEvent::Repeated(OrderRepeated {
                requested,
                order_id,
                order: order.map(Arc::new),
                declined: None,
            })
        }),
        rejected().prop_map(OrderEvent::Rejected),
        Just(OrderEvent::Ticked(Ticked {})),
    ]
}

fn levels() -> impl Strategy<Value = Levels> {
    any::<[u32; 4]>().prop_map(|[a, b, c, d]| Levels {
        received: u64::from(a) + u64::from(b) + u64::from(c) + u64::from(d),
        available: a.into(),
        reserved: b.into(),
        shipped: c.into(),
        written_off: d.into(),
    })
}

fn stock_event() -> impl Strategy<Value = StockEvent> {
    let movement = (name(), any::<u32>(), levels());
    let movements =
        vec(movement.prop_map(|(sku, quantity, levels)| Movement { sku, quantity, levels }), 0..4);
    prop_oneof![
        (name(), any::<i64>(), levels(), option::of(used_key()), actor()).prop_map(
            |(sku, delta, levels, key, by)| {
                StockEvent::Adjusted(StockChanged { sku, delta, reason: None, levels, key, by })
            }
        ),
        (order_id(), movements).prop_map(|(order_id, lines)| {
            let reason = ReleaseReason::Expired;
            StockEvent::Released(StockReleased { order_id, reason, lines })
        }),
        (name(), levels(), option::of((text(), currency()))).prop_map(|(sku, levels, product)| {
            let product =
                product.map(|(name, currency)| CatalogueEntry { name, unit_price: Amount(5), currency });
            StockEvent::Repeated(StockRepeated { sku, levels, product })
        }),
    ]
}

fn stock_command() -> impl Strategy<Value = StockCommand> {
    prop_oneof![
        (order_id(), currency(), lines()).prop_map(|(order_id, currency, lines)| {
            StockCommand::Reserve(Reserve { order_id, currency, prices: Prices::Set, lines })
        }),
        (name(), any::<u32>(), option::of(change_key()), actor()).prop_map(
            |(sku, quantity, idempotency, by)| {
                StockCommand::Receive(ReceiveStock { sku, quantity, idempotency, by })
            }
        ),
        order_id().prop_map(|order_id| StockCommand::Ship(Ship { order_id, part: None })),
    ]
}

fn header() -> impl Strategy<Value = RecordHeader> {
    let cause = (any::<u64>(), 1..u64::MAX).prop_map(|(offset, number)| Cause {
        offset: Offset(offset),
        source: Source::new("ingest-0abc").unwrap(),
        number,
    });
    let sent = prop::collection::btree_map(any::<u16>().prop_map(Partition), any::<u64>(), 0..4);
    (1..u64::MAX, time(), option::of(cause), sent, any::<bool>()).prop_map(
        |(number, time, cause, sent, traced)| {
            let traceparent = TraceParent::parse("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
            RecordHeader {
                source: Source::processor(TopicPartition::new(Topic::StockCommands, 3)),
                number,
                time,
                cause,
                sent: sent.into_iter().collect(),
                traceparent: traceparent.filter(|_| traced),
            }
        },
    )
}

fn round_trip<T: Payload + PartialEq + std::fmt::Debug>(
    header: RecordHeader,
    data: T,
) -> Result<(), TestCaseError> {
    let record = Record { header, data };
    let bytes = record.encode();
    prop_assert_eq!(&Record::<T>::decode(&bytes).unwrap(), &record);
    prop_assert_eq!(Record::<T>::decode(&bytes).unwrap().encode(), bytes);
    Ok(())
}

proptest! {
    #[test]
    fn order_commands_survive_the_log(header in header(), data in order_command()) {
        round_trip(header, data)?;
    }

    #[test]
    fn order_events_survive_the_log(header in header(), data in order_event()) {
        round_trip(header, data)?;
    }

    #[test]
    fn stock_commands_survive_the_log(header in header(), data in stock_command()) {
        round_trip(header, data)?;
    }

    #[test]
    fn stock_events_survive_the_log(header in header(), data in stock_event()) {
        round_trip(header, data)?;
    }

    #[test]
    fn damaged_records_are_errors_not_panics(header in header(), data in order_event(), at: prop::sample::Index, byte: u8) {
        let mut bytes = Record { header, data }.encode().to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = Record::<OrderEvent>::decode(&bytes);
        let _ = Record::<OrderEvent>::decode(&bytes[..at]);
    }
}
