-- Times are microseconds since the Unix epoch, ids are the 16 bytes of the UUID, money is minor units.
-- WITHOUT ROWID: one tree a table, clustered by the key that reads page by (ids are UUIDv7, so new rows go to its end).
CREATE TABLE orders (
    id              BLOB    NOT NULL PRIMARY KEY,
    customer_id     TEXT    NOT NULL,
    status          TEXT    NOT NULL,
    version         INTEGER NOT NULL,
    currency        TEXT    NOT NULL,
    total           INTEGER,
    lines           TEXT    NOT NULL,
    channel         TEXT,
    notes           TEXT,
    fail_reason     TEXT,
    failures        TEXT,
    idempotency_key TEXT,
    placed_at       INTEGER NOT NULL,
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX orders_by_customer ON orders (customer_id, id);
CREATE INDEX orders_by_status ON orders (status, id);
CREATE INDEX orders_by_idempotency_key ON orders (idempotency_key, id) WHERE idempotency_key IS NOT NULL;

CREATE TABLE order_history (
    order_id    BLOB    NOT NULL,
    version     INTEGER NOT NULL,
    type        TEXT    NOT NULL,
    status      TEXT    NOT NULL,
    from_status TEXT,
    at          INTEGER NOT NULL,
    by_role     TEXT    NOT NULL,
    by_subject  TEXT    NOT NULL,
    reason      TEXT,
    cause       INTEGER NOT NULL,
    PRIMARY KEY (order_id, version)
) STRICT, WITHOUT ROWID;

-- version is the offset of the stock event that the row stands at; a SKU has one partition, so offsets order its rows.
CREATE TABLE stock (
    sku         TEXT    NOT NULL PRIMARY KEY,
    version     INTEGER NOT NULL,
    received    INTEGER NOT NULL,
    available   INTEGER NOT NULL,
    reserved    INTEGER NOT NULL,
    shipped     INTEGER NOT NULL,
    written_off INTEGER NOT NULL,
    name        TEXT,
    unit_price  INTEGER,
    currency    TEXT
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
    topic       TEXT    NOT NULL,
    partition   INTEGER NOT NULL,
    next_offset INTEGER NOT NULL,
    number      INTEGER NOT NULL,
    unreadable  INTEGER NOT NULL,
    cause       INTEGER,
    PRIMARY KEY (topic, partition)
) STRICT, WITHOUT ROWID;

-- Which log the rows come from. One row at most.
CREATE TABLE log (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    id       TEXT    NOT NULL
) STRICT;

-- How many orders have each status. Triggers keep it, so it is right whatever writes the rows.
CREATE TABLE order_counts (
    status TEXT    NOT NULL PRIMARY KEY,
    count  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER count_new_order AFTER INSERT ON orders BEGIN
    INSERT INTO order_counts (status, count) VALUES (NEW.status, 1)
    ON CONFLICT (status) DO UPDATE SET count = count + 1;
END;

CREATE TRIGGER count_changed_order AFTER UPDATE OF status ON orders WHEN NEW.status <> OLD.status BEGIN
    UPDATE order_counts SET count = count - 1 WHERE status = OLD.status;
    INSERT INTO order_counts (status, count) VALUES (NEW.status, 1)
    ON CONFLICT (status) DO UPDATE SET count = count + 1;
END;
