"""The Postgres server: reached, started, locked, spoken to in bulk."""
