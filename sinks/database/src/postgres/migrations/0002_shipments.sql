-- What only some orders have: how long they hold stock, their courier, who approved or rejected them, and what came back.
ALTER TABLE orders
    ADD COLUMN reserve_for bigint,
    ADD COLUMN courier_id  text,
    ADD COLUMN acted_by    text,
    ADD COLUMN acted_at    bigint,
    ADD COLUMN returned    json;

-- What couriers reported. An order has one partition of events, so the offset of its event numbers them.
CREATE TABLE shipment_events (
    order_id        uuid   NOT NULL,
    "offset"        bigint NOT NULL,
    at              bigint NOT NULL,
    status          text   COLLATE "C" NOT NULL,
    carrier         text,
    tracking_number text,
    location        text,
    occurred_at     bigint,
    event_id        text,
    by_role         text   COLLATE "C" NOT NULL,
    by_subject      text   NOT NULL,
    PRIMARY KEY (order_id, "offset")
);
