"""What the planner knows of the tables, kept up with bulk loads: Postgres itself comes round once a minute at best."""

from sqlalchemy import text

from dropship_pipeline.storage.server.database import Database

_OURS = ("catalog", "orders", "ops")

# relpages is of the last look; a few pages are no matter either way
_OUTGROWN = text("""
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ANY (:schemas) AND c.relkind = 'r'
        AND pg_relation_size(c.oid) > (1.25 * c.relpages + 8) * current_setting('block_size')::bigint
    ORDER BY 1
""")


def look_again(database: Database) -> list[str]:
    """Have the planner look at the tables that are a quarter larger than when it did; which these are.

    A question right after a first load would be planned for empty tables, and take minutes instead of a second. So it
    would where the rows of a kind are new to a table that had others: `ops.fetches`, after each stage. A table
    that somebody else looks at just now, or that is not ours to look at, is passed over. Raises `DatabaseProblem`.
    """
    with database.autocommit() as connection:
        outgrown = list(connection.execute(_OUTGROWN, {"schemas": list(_OURS)}).scalars())
        if outgrown:
            connection.exec_driver_sql(f"ANALYZE (SKIP_LOCKED) {', '.join(outgrown)}")
    return outgrown
