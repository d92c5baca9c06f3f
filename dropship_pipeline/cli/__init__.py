"""The `dropship` command."""
