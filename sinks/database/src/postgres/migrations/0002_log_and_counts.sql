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

INSERT INTO order_counts (shard, status, count)
SELECT get_byte(uuid_send(id), 15) & 15, status, count(*) FROM orders GROUP BY 1, 2;

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
