"""The work itself, as plain functions that Dagster and the command line both call."""
