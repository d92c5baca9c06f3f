"""What Dagster loads. `build_defs` is the one place where everything is wired: code server, command line, tests."""

from dropship_pipeline.orchestration.wiring import build_defs

__all__ = ["build_defs", "defs"]

defs = build_defs()
