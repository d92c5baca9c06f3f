"""Orders and placements in Postgres."""
