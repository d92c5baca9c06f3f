"""How Alembic runs the steps: on the connection, and in the transaction, that `storage.migrate` hands over."""

from alembic import context

context.configure(connection=context.config.attributes["connection"], version_table_schema="ops")
context.run_migrations()
