"""The tags on runs that mean something to us. Lean: the webserver and the daemon read them too."""

import dagster as dg

TRIGGER = "dropship/trigger"
"""How a run was started: `cli` for the command line, `schedule`, `sensor`."""


def is_of_the_terminal(run: dg.DagsterRun) -> bool:
    """Whether the command line runs it. A run that the UI executes again has the tags of the first, and a parent."""
    return run.tags.get(TRIGGER) == "cli" and run.parent_run_id is None
