"""What Dagster loads. `build_defs` is the one place where everything is wired: code server, command line, tests."""

from dropship_pipeline.garbage import allocate_plainly, collect_seldom

# before what is imported next: without it each process of Dagster would take a sixth more time to be there
collect_seldom()
allocate_plainly()

from dropship_pipeline.orchestration.wiring import build_defs  # noqa: E402  see above

__all__ = ["build_defs", "defs"]

defs = build_defs()
