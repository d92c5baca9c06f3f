"""What is due, by the ledger of what was read when (`ops.fetches`). Merges write the ledger themselves."""
