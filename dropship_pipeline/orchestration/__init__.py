"""The only package that imports Dagster: assets, partitions, resources, jobs."""
