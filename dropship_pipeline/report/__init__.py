"""The report that people read: one page, drawn from one moment of the tables. No Dagster in here."""
