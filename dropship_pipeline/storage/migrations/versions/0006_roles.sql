-- Frozen once released. A later migration that makes a table grants what it is to be read by: new tables are the
-- loader's by default, and, in schemas without personal data, the analyst's.

-- Dagster's own schema: whoever may not create schemas finds it here. The lock is the one of storage/dagster_schema.py.
SELECT pg_advisory_xact_lock(1684104051);
CREATE SCHEMA IF NOT EXISTS dagster;
COMMENT ON SCHEMA dagster IS 'Dagster''s own tables: runs, events, schedules';

CREATE FUNCTION ops.grant_roles() RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog AS $function$
DECLARE
    role_name text;
    missing text[] := '{}';
BEGIN
    -- roles belong to the server, not to the database: others may have made them, or be making them just now
    FOREACH role_name IN ARRAY ARRAY[
        'dropship_analyst', 'dropship_loader', 'dropship_receiver', 'dropship_recipients'
    ] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', role_name);
            EXCEPTION
                WHEN duplicate_object OR unique_violation THEN NULL;
                WHEN insufficient_privilege THEN missing := missing || role_name;
            END;
        END IF;
    END LOOP;

    IF NOT 'dropship_loader' = ANY (missing) THEN
        GRANT USAGE ON SCHEMA catalog, orders, marts, ops TO dropship_loader;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA catalog, orders, ops TO dropship_loader;
        REVOKE INSERT, UPDATE, DELETE ON ops.alembic_version FROM dropship_loader;
        GRANT SELECT ON ALL TABLES IN SCHEMA marts TO dropship_loader;
        ALTER DEFAULT PRIVILEGES IN SCHEMA catalog, orders, ops
            GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO dropship_loader;
        ALTER DEFAULT PRIVILEGES IN SCHEMA marts GRANT SELECT ON TABLES TO dropship_loader;
        -- Dagster makes its tables itself, whoever runs it first
        GRANT USAGE, CREATE ON SCHEMA dagster TO dropship_loader;
        GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA dagster TO dropship_loader;
        GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA dagster TO dropship_loader;
        ALTER DEFAULT PRIVILEGES IN SCHEMA dagster
            GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO dropship_loader;
        ALTER DEFAULT PRIVILEGES IN SCHEMA dagster GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO dropship_loader;
        -- before, nobody but a table's owner can vacuum it
        IF current_setting('server_version_num')::int >= 170000 THEN
            EXECUTE 'GRANT MAINTAIN ON ALL TABLES IN SCHEMA catalog, orders, ops, dagster TO dropship_loader';
            EXECUTE 'ALTER DEFAULT PRIVILEGES IN SCHEMA catalog, orders, ops, dagster
                GRANT MAINTAIN ON TABLES TO dropship_loader';
        END IF;
    END IF;

    IF NOT 'dropship_analyst' = ANY (missing) THEN
        GRANT USAGE ON SCHEMA catalog, orders, marts, ops TO dropship_analyst;
        GRANT SELECT ON ALL TABLES IN SCHEMA catalog, marts TO dropship_analyst;
        GRANT SELECT ON
            orders.orders, orders.order_lines, orders.order_status_changes, orders.shipments, orders.tracking_events,
            orders.payments, ops.hold_rules, ops.watched_products, ops.alembic_version
        TO dropship_analyst;
        ALTER DEFAULT PRIVILEGES IN SCHEMA catalog, marts GRANT SELECT ON TABLES TO dropship_analyst;
    END IF;

    IF NOT 'dropship_receiver' = ANY (missing) THEN
        GRANT USAGE ON SCHEMA ops TO dropship_receiver;
        GRANT SELECT ON ops.alembic_version TO dropship_receiver;
        -- a message that comes again is counted; no message can be read
        GRANT INSERT, SELECT (message_key, deliveries, xmax), UPDATE (deliveries) ON ops.webhook_inbox TO dropship_receiver;
    END IF;

    IF NOT 'dropship_recipients' = ANY (missing) THEN
        GRANT USAGE ON SCHEMA orders TO dropship_recipients;
        GRANT SELECT ON orders.recipients TO dropship_recipients;
        IF NOT EXISTS (SELECT FROM pg_policies WHERE policyname = 'recipients' AND schemaname = 'orders') THEN
            CREATE POLICY recipients ON orders.recipients FOR SELECT TO dropship_recipients USING (true);
        END IF;
    END IF;

    -- two tables of personal data are under row security: a grant alone shows nobody a row of them
    IF NOT 'dropship_loader' = ANY (missing) AND NOT EXISTS (
        SELECT FROM pg_policies WHERE policyname = 'loader' AND schemaname = 'orders'
    ) THEN
        CREATE POLICY loader ON orders.recipients TO dropship_loader USING (true) WITH CHECK (true);
        CREATE POLICY loader ON orders.placements TO dropship_loader USING (true) WITH CHECK (true);
    END IF;
    RETURN missing;
END
$function$;
REVOKE EXECUTE ON FUNCTION ops.grant_roles() FROM PUBLIC;
COMMENT ON FUNCTION ops.grant_roles() IS
    'Makes the roles of dropship_pipeline and grants them what they may do; may be run again. Gives those that could not be made';
SELECT ops.grant_roles();
