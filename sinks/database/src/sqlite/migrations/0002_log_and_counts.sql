-- Which log the rows come from. One row at most.
CREATE TABLE log (
    only_row INTEGER NOT NULL PRIMARY KEY CHECK (only_row = 1),
    id       TEXT    NOT NULL
) STRICT;

-- How many orders have each status. Triggers keep it, so it is right whatever writes the rows. The shard is the last four
-- bits of the id, which are the customer's: where partitions are a power of two, each has shards of its own.
CREATE TABLE order_counts (
    shard  INTEGER NOT NULL,
    status TEXT    NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (shard, status)
) STRICT, WITHOUT ROWID;

INSERT INTO order_counts (shard, status, count)
SELECT instr('0123456789ABCDEF', substr(hex(substr(id, 16, 1)), 2)) - 1, status, count(*) FROM orders GROUP BY 1, 2;

CREATE TRIGGER count_new_order AFTER INSERT ON orders BEGIN
    INSERT INTO order_counts (shard, status, count)
    VALUES (instr('0123456789ABCDEF', substr(hex(substr(NEW.id, 16, 1)), 2)) - 1, NEW.status, 1)
    ON CONFLICT (shard, status) DO UPDATE SET count = count + 1;
END;

CREATE TRIGGER count_changed_order AFTER UPDATE OF status ON orders WHEN NEW.status <> OLD.status BEGIN
    UPDATE order_counts SET count = count - 1
    WHERE shard = instr('0123456789ABCDEF', substr(hex(substr(OLD.id, 16, 1)), 2)) - 1 AND status = OLD.status;
    INSERT INTO order_counts (shard, status, count)
    VALUES (instr('0123456789ABCDEF', substr(hex(substr(NEW.id, 16, 1)), 2)) - 1, NEW.status, 1)
    ON CONFLICT (shard, status) DO UPDATE SET count = count + 1;
END;
