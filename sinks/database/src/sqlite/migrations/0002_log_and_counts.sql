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

INSERT INTO order_counts (status, count) SELECT status, count(*) FROM orders GROUP BY status;

CREATE TRIGGER count_new_order AFTER INSERT ON orders BEGIN
    INSERT INTO order_counts (status, count) VALUES (NEW.status, 1)
    ON CONFLICT (status) DO UPDATE SET count = count + 1;
END;

CREATE TRIGGER count_changed_order AFTER UPDATE OF status ON orders WHEN NEW.status <> OLD.status BEGIN
    UPDATE order_counts SET count = count - 1 WHERE status = OLD.status;
    INSERT INTO order_counts (status, count) VALUES (NEW.status, 1)
    ON CONFLICT (status) DO UPDATE SET count = count + 1;
END;
