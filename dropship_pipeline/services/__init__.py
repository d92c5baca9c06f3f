"""What `dropship up` runs, and how it is kept running. Imports no Dagster: only the children do."""
