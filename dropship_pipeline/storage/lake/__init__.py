"""The lake: raw answers, snapshots, and reading both."""
