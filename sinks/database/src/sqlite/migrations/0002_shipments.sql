-- What only some orders have: how long they hold stock, their courier, who approved or rejected them, and what came back.
ALTER TABLE orders ADD COLUMN reserve_for INTEGER;
ALTER TABLE orders ADD COLUMN courier_id TEXT;
ALTER TABLE orders ADD COLUMN acted_by TEXT;
ALTER TABLE orders ADD COLUMN acted_at INTEGER;
ALTER TABLE orders ADD COLUMN returned TEXT;

-- What couriers reported. An order has one partition of events, so the offset of its event numbers them.
CREATE TABLE shipment_events (
    order_id        BLOB    NOT NULL,
    "offset"        INTEGER NOT NULL,
    at              INTEGER NOT NULL,
    status          TEXT    NOT NULL,
    carrier         TEXT,
    tracking_number TEXT,
    location        TEXT,
    occurred_at     INTEGER,
    event_id        TEXT,
    by_role         TEXT    NOT NULL,
    by_subject      TEXT    NOT NULL,
    PRIMARY KEY (order_id, "offset")
) STRICT, WITHOUT ROWID;
