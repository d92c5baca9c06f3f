"""`dropship doctor`: everything that a sync needs, checked one by one."""

import click

from dropship_pipeline.cli.show import is_person, show_json

_SIGNS = {"ok": ("✓", "green"), "warning": ("!", "yellow"), "failed": ("✗", "red")}


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON list instead of lines.")
def doctor(as_json: bool) -> int:
    """Check everything that a sync needs, and say what to mend. Makes one call.

    \b
    dropship doctor
    """
    from dataclasses import asdict  # noqa: PLC0415

    from dropship_pipeline.settings import load_settings  # noqa: PLC0415
    from dropship_pipeline.sync.doctor import examine  # noqa: PLC0415

    findings = []
    for finding in examine(load_settings()):
        findings.append(finding)
        if not as_json:
            sign, color = _SIGNS[finding.verdict]
            mark = click.style(sign, fg=color) if is_person() else finding.verdict.value
            click.echo(f"{mark} {finding.check}: {finding.found}" + (f". {finding.remedy}." if finding.remedy else ""))
    if as_json:
        show_json([asdict(finding) for finding in findings])
    return 1 if any(finding.verdict == "failed" for finding in findings) else 0
