"""The project's own book-keeping: accounts, budget, syncs, alerts, the inbox."""
