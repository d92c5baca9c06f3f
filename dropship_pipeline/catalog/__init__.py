"""The rules of the catalogue, pure and without I/O: feeds, sweeps, payload to rows, freight fallback, freshness."""
