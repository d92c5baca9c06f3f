"""The one error that people are shown: what happened, to what, and what to do now.

Every package raises its own subclasses; the command line prints the line, Dagster shows it as the failure. Nothing that
is secret goes into a message: see `dropship_pipeline.alibaba.redaction` for what comes from the API.
"""


class Problem(Exception):
    """Something failed that a person can mend. `what` names the thing; `remedy` says what to do about it."""

    def __init__(self, what: str, remedy: str = "") -> None:
        self.what = what.rstrip(".")
        self.remedy = remedy.rstrip(".")
        super().__init__(str(self))

    def __str__(self) -> str:
        return f"{self.what}. {self.remedy}." if self.remedy else f"{self.what}."
