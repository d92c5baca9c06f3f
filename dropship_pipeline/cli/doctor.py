"""`dropship doctor`: everything that a sync needs, checked one by one."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from dropship_pipeline.cli.show import is_person, show_json, show_line

if TYPE_CHECKING:
    from dropship_pipeline.settings import Settings
    from dropship_pipeline.sync.checks.doctor import Finding

_SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "bold red")}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON list instead of lines.")
def doctor(as_json: bool) -> int:
    """Check everything that a sync needs, and say what to mend. Makes one call. Ends 1 if anything has failed.

    \b
    dropship doctor
    """
    from dataclasses import asdict  # noqa: PLC0415

    from dropship_pipeline.settings import load_settings  # noqa: PLC0415

    findings = []
    for finding in _examine(load_settings()):
        findings.append(finding)
        if not as_json:
            sign, style = _SIGNS[finding.verdict]
            mark = sign if is_person() else f"{finding.verdict.value:<7}"
            remedy = f". {finding.remedy}." if finding.remedy else ""
            show_line(f"{mark} {finding.check}: {finding.found}{remedy}", "" if finding.verdict == "ok" else style)
    if as_json:
        show_json([asdict(finding) for finding in findings])
        return _status(findings)
    if _status(findings) == 0:
        show_line("Everything that a sync needs is there: dropship sync", "green")
    return _status(findings)


def _examine(settings: "Settings") -> Iterator["Finding"]:
    from dropship_pipeline.settings import find_dagster_home  # noqa: PLC0415
    from dropship_pipeline.sync.checks.doctor import checked, examine  # noqa: PLC0415

    yield from examine(settings)
    yield checked("Dagster", lambda: f"{find_dagster_home(settings)} has a dagster.yaml")


def _status(findings: "list[Finding]") -> int:
    return 1 if any(finding.verdict == "failed" for finding in findings) else 0
