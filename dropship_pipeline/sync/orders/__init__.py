"""Orders: followed, read, reconciled, quoted, placed, paid and cancelled."""
