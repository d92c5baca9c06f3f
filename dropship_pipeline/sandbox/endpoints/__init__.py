"""What answers each API path: a module for each group of the guide. Each gives `endpoints(…)`; the server composes."""
