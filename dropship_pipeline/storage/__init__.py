"""Postgres and the lake: connections, migrations, merges, ledgers, raw landing, snapshots."""
