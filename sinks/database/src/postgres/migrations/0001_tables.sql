-- The names have no schema: the connection's search_path names it. Times are microseconds since the Unix epoch, money
-- is minor units. COLLATE "C": keys are compared by their bytes, so lists come in the same order from every database
-- and an upgrade of the system's collations damages no index. json, not jsonb: it is stored as it comes, in half the
-- time (100,000 rows of two lines: 0.6 s and 1.1 to 1.6 s), and whoever searches in it can cast it.
CREATE TABLE orders (
    id              uuid   NOT NULL PRIMARY KEY,
    customer_id     text   COLLATE "C" NOT NULL,
    status          text   COLLATE "C" NOT NULL,
    version         bigint NOT NULL,
    currency        text   COLLATE "C" NOT NULL,
    total           bigint,
    lines           json   NOT NULL,
    channel         text,
    notes           text,
    fail_reason     text,
    failures        json,
    idempotency_key text   COLLATE "C",
    placed_at       bigint NOT NULL,
    created_at      bigint NOT NULL,
    updated_at      bigint NOT NULL
);

CREATE INDEX orders_by_customer ON orders (customer_id, id);
CREATE INDEX orders_by_status ON orders (status, id);
CREATE INDEX orders_by_idempotency_key ON orders (idempotency_key, id) WHERE idempotency_key IS NOT NULL;

CREATE TABLE order_history (
    order_id    uuid   NOT NULL,
    version     bigint NOT NULL,
    type        text   COLLATE "C" NOT NULL,
    status      text   COLLATE "C" NOT NULL,
    from_status text   COLLATE "C",
    at          bigint NOT NULL,
    by_role     text   COLLATE "C" NOT NULL,
    by_subject  text   NOT NULL,
    reason      text,
    cause       bigint NOT NULL,
    PRIMARY KEY (order_id, version)
);

-- version is the offset of the stock event that the row stands at; a SKU has one partition, so offsets order its rows.
-- Levels change often and no index has them: room in each page lets a change stay there, without touching the index.
CREATE TABLE stock (
    sku         text   COLLATE "C" NOT NULL PRIMARY KEY,
    version     bigint NOT NULL,
    received    bigint NOT NULL,
    available   bigint NOT NULL,
    reserved    bigint NOT NULL,
    shipped     bigint NOT NULL,
    written_off bigint NOT NULL,
    name        text,
    unit_price  bigint,
    currency    text   COLLATE "C"
) WITH (fillfactor = 50);

CREATE TABLE checkpoints (
    topic       text   COLLATE "C" NOT NULL,
    partition   bigint NOT NULL,
    next_offset bigint NOT NULL,
    number      bigint NOT NULL,
    unreadable  bigint NOT NULL,
    cause       bigint,
    PRIMARY KEY (topic, partition)
) WITH (fillfactor = 50);

-- Which log the rows come from. One row at most.
CREATE TABLE log (
    only_row smallint NOT NULL PRIMARY KEY CHECK (only_row = 1),
    id       text     COLLATE "C" NOT NULL
);

-- How many orders have each status. Triggers keep it, so it is right whatever writes the rows. The shard is the last four
-- bits of the id, which are the customer's: where partitions are a power of two, each has shards of its own, and two
-- processes that write different partitions do not wait for each other's counters.
CREATE TABLE order_counts (
    shard  bigint NOT NULL,
    status text   COLLATE "C" NOT NULL,
    count  bigint NOT NULL,
    PRIMARY KEY (shard, status)
) WITH (fillfactor = 50);

-- Sorted, so that two transactions which change the same counters wait for each other in one order.
CREATE FUNCTION count_new_orders() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO order_counts AS counts (shard, status, count)
    SELECT get_byte(uuid_send(id), 15) & 15, status, count(*) FROM new_orders GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (shard, status) DO UPDATE SET count = counts.count + excluded.count;
    RETURN NULL;
END $$;

CREATE FUNCTION count_changed_orders() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO order_counts AS counts (shard, status, count)
    SELECT get_byte(uuid_send(id), 15) & 15, status, sum(change)
    FROM (
        SELECT id, status, 1 AS change FROM new_orders
        UNION ALL
        SELECT id, status, -1 AS change FROM old_orders
    ) AS changes
    GROUP BY 1, 2 HAVING sum(change) <> 0 ORDER BY 1, 2
    ON CONFLICT (shard, status) DO UPDATE SET count = counts.count + excluded.count;
    RETURN NULL;
END $$;

CREATE TRIGGER count_new_orders AFTER INSERT ON orders
    REFERENCING NEW TABLE AS new_orders FOR EACH STATEMENT EXECUTE FUNCTION count_new_orders();

CREATE TRIGGER count_changed_orders AFTER UPDATE ON orders
    REFERENCING OLD TABLE AS old_orders NEW TABLE AS new_orders FOR EACH STATEMENT
    EXECUTE FUNCTION count_changed_orders();
