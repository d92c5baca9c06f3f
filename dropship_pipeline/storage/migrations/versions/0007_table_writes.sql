-- Frozen once released. A later migration that makes a table which is published, or which a published view reads, calls
-- ops.note_writes_to for it.

CREATE TABLE ops.table_writes (
    table_name text NOT NULL,
    transaction_id bigint NOT NULL,
    began_at timestamptz NOT NULL,
    PRIMARY KEY (table_name, transaction_id, began_at)
);
COMMENT ON TABLE ops.table_writes IS 'Which tables were written to, by which transaction, since they were last published: their triggers note it. What is not named here is not published anew. To have a table published anew, insert a row.';
COMMENT ON COLUMN ops.table_writes.table_name IS 'The table, `schema.name`';
COMMENT ON COLUMN ops.table_writes.transaction_id IS 'Postgres''s number of the transaction that wrote to it';
COMMENT ON COLUMN ops.table_writes.began_at IS 'When that began (UTC): in a restored database its number is no other''s';
CREATE TABLE ops.publishes (
    number bigint NOT NULL,
    snapshot text NOT NULL,
    taken_at timestamptz NOT NULL,
    versions jsonb NOT NULL,
    PRIMARY KEY (number)
);
COMMENT ON TABLE ops.publishes IS 'The snapshot that this database published last, in one row: whatever was written to the tables since then is in ops.table_writes.';
COMMENT ON COLUMN ops.publishes.number IS 'Counts on with each publish: whoever comes too late to record his finds its number taken';
COMMENT ON COLUMN ops.publishes.snapshot IS 'Its folder';
COMMENT ON COLUMN ops.publishes.taken_at IS 'The moment that its tables show (UTC), as it says of itself';
COMMENT ON COLUMN ops.publishes.versions IS 'Of the rows of each table: another one after each publish of new rows';
CREATE TABLE ops.sound_tables (
    table_name text NOT NULL,
    fingerprint text NOT NULL,
    rows bigint NOT NULL,
    asked_at timestamptz NOT NULL,
    PRIMARY KEY (table_name)
);
COMMENT ON TABLE ops.sound_tables IS 'Which tables were checked row by row and found without fault: they are not read again until somebody writes to them, or to what they refer to. To have a table checked anew, delete its row.';
COMMENT ON COLUMN ops.sound_tables.table_name IS 'The table, `schema.name`';
COMMENT ON COLUMN ops.sound_tables.fingerprint IS 'Of what was asked, and of the rows that were read';
COMMENT ON COLUMN ops.sound_tables.rows IS 'How many there were';
COMMENT ON COLUMN ops.sound_tables.asked_at IS 'When (UTC)';

-- Whoever may write to the table leaves a mark, whatever else he may do: it runs with its owner's rights.
CREATE FUNCTION ops.note_write() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $function$
BEGIN
    IF TG_OP <> 'TRUNCATE' THEN
        IF NOT EXISTS (SELECT FROM touched) THEN
            RETURN NULL;
        END IF;
    END IF;
    INSERT INTO ops.table_writes (table_name, transaction_id, began_at)
    VALUES (TG_TABLE_SCHEMA || '.' || TG_TABLE_NAME, pg_current_xact_id()::text::bigint, now())
    ON CONFLICT DO NOTHING;
    RETURN NULL;
END
$function$;
REVOKE EXECUTE ON FUNCTION ops.note_write() FROM PUBLIC;
COMMENT ON FUNCTION ops.note_write() IS 'Notes in ops.table_writes that this transaction wrote to the table';

-- ALWAYS: also where a session plays the replica of another server, as some tools do that load data
CREATE FUNCTION ops.note_writes_to(tables text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $function$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY tables LOOP
        EXECUTE 'CREATE TRIGGER note_insert AFTER INSERT ON ' || name::regclass
            || ' REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION ops.note_write()';
        EXECUTE 'CREATE TRIGGER note_update AFTER UPDATE ON ' || name::regclass
            || ' REFERENCING NEW TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION ops.note_write()';
        EXECUTE 'CREATE TRIGGER note_delete AFTER DELETE ON ' || name::regclass
            || ' REFERENCING OLD TABLE AS touched FOR EACH STATEMENT EXECUTE FUNCTION ops.note_write()';
        EXECUTE 'CREATE TRIGGER note_truncate AFTER TRUNCATE ON ' || name::regclass
            || ' FOR EACH STATEMENT EXECUTE FUNCTION ops.note_write()';
        EXECUTE 'ALTER TABLE ' || name::regclass || ' ENABLE ALWAYS TRIGGER note_insert,'
            || ' ENABLE ALWAYS TRIGGER note_update, ENABLE ALWAYS TRIGGER note_delete,'
            || ' ENABLE ALWAYS TRIGGER note_truncate';
    END LOOP;
END
$function$;
REVOKE EXECUTE ON FUNCTION ops.note_writes_to(text[]) FROM PUBLIC;
COMMENT ON FUNCTION ops.note_writes_to(text[]) IS 'Has every write to these tables noted in ops.table_writes';

SELECT ops.note_writes_to(ARRAY[
    'catalog.feed_products',
    'catalog.products',
    'catalog.product_descriptions',
    'catalog.product_images',
    'catalog.delivery_periods',
    'catalog.skus',
    'catalog.sku_attributes',
    'catalog.price_tiers',
    'catalog.inventory_levels',
    'catalog.freight_quotes',
    'catalog.freight_failures',
    'catalog.price_changes',
    'catalog.inventory_changes',
    'catalog.listing_changes',
    'orders.orders',
    'orders.order_lines',
    'orders.order_status_changes',
    'orders.shipments',
    'orders.tracking_events',
    'orders.payments',
    'ops.fetches'
]);
