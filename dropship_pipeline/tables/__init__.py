"""Every table, once: keys, types, units and comments, from which DDL, Arrow schemas and docs derive."""
