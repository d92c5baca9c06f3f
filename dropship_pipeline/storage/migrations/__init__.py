"""The steps of the schema, run by `storage.migrate`."""
