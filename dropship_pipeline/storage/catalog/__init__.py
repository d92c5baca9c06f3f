"""The catalogue in Postgres: merges, memberships, the ledger of what was read."""
