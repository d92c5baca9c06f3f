"""Findings as asset checks: those that stop a publish, and those that warn. What is checked is in `sync/checks/`.

One step a stage makes all its checks, the warnings among them: a step costs a process where steps are processes. It
goes when the stage is done, so that what is downstream, the publish at last, waits for it; a warning stops nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal

import dagster as dg
from dagster._core.definitions.assets.job.asset_job import JobScopedAssetGraph  # no public names
from dagster._core.storage.partition_status_cache import AssetPartitionStatus

from dropship_pipeline.counting import counted
from dropship_pipeline.orchestration.resources import RunStore
from dropship_pipeline.orchestration.schema import SNAPSHOT, asset_key
from dropship_pipeline.orchestration.stages import work
from dropship_pipeline.problem import Problem
from dropship_pipeline.storage.lake.snapshots import Snapshot
from dropship_pipeline.storage.lake.verification import Mismatch
from dropship_pipeline.sync.checks.audit import Stage, audit, audit_snapshot, checks_of
from dropship_pipeline.sync.checks.findings import SNAPSHOT_CHECK, Check, Finding
from dropship_pipeline.sync.session import Session, Store
from dropship_pipeline.tables.registry import TABLES

_FAILED_REMEDY = "Materialise these partitions: on the asset's page, Materialize, then the partitions that are failed"

FAILED_PARTITIONS = dg.AssetCheckSpec(
    "no_failed_partitions",
    asset=SNAPSHOT,
    description="No partition of any asset is left failed.",
)

PARQUET_EQUALS_POSTGRES = dg.AssetCheckSpec(
    "parquet_equals_postgres",
    asset=SNAPSHOT,
    description="Each file, read back, holds what its table held: rows, values, sums, lengths, ranges, by column.",
    blocking=True,
)
"""For the step that publishes, which makes it before `latest` moves."""


def equality(published: Snapshot | Mismatch) -> dg.AssetCheckResult:
    """The result of `PARQUET_EQUALS_POSTGRES`: of a snapshot that was published, or of why none was."""
    if isinstance(published, Mismatch):
        return dg.AssetCheckResult(
            asset_key=SNAPSHOT,
            check_name=PARQUET_EQUALS_POSTGRES.name,
            passed=False,
            description=str(published),
            metadata={"count": 1, "table": published.table},
        )
    told = [
        dg.TableRecord({"table": table.table, "rows": table.rows, "measures": table.measures})
        for table in published.verified
    ]
    return dg.AssetCheckResult(
        asset_key=SNAPSHOT,
        check_name=PARQUET_EQUALS_POSTGRES.name,
        passed=True,
        description=PARQUET_EQUALS_POSTGRES.description,
        metadata={
            "count": 0,
            "rows": sum(table.rows for table in published.verified),
            "measures": sum(table.measures for table in published.verified),
            "tables": dg.MetadataValue.table(told),
        },
    )


def result(finding: Finding) -> dg.AssetCheckResult:
    """A finding as Dagster shows it: numbers become charts, the sample a table."""
    sample = [dg.TableRecord({name: _shown(value) for name, value in row.items()}) for row in finding.sample]
    return dg.AssetCheckResult(
        asset_key=_key(finding.check),
        check_name=finding.check.name,
        passed=finding.passed,
        severity=dg.AssetCheckSeverity.ERROR if finding.grave else dg.AssetCheckSeverity.WARN,
        description=finding.line,
        metadata={
            "count": finding.count,
            **finding.figures,
            **({"sample": dg.MetadataValue.table(sample)} if sample else {}),
        },
    )


def _key(check: Check) -> dg.AssetKey:
    return SNAPSHOT if check.table == SNAPSHOT_CHECK.table else asset_key(TABLES[check.table])


def _shown(value: object) -> str | int | float | bool | None:
    match value:
        case None | str() | bool() | int() | float():
            return value
        case datetime():
            return value.isoformat()
        case Decimal():
            return str(value)
    raise TypeError(f"a sample holds {type(value).__name__}")


def _step(
    name: str, description: str, checks: Sequence[Check], find: Callable[[Store], Iterable[Finding]]
) -> dg.AssetChecksDefinition:
    specs = [
        dg.AssetCheckSpec(check.name, asset=_key(check), description=check.description, blocking=check.blocking)
        for check in checks
    ]

    @dg.multi_asset_check(name=name, description=description, specs=specs, can_subset=True)
    def step(
        context: dg.AssetCheckExecutionContext, store: dg.ResourceParam[RunStore]
    ) -> Iterator[dg.AssetCheckResult]:
        with work(store) as opened:
            findings = [
                finding
                for finding in find(opened)
                if dg.AssetCheckKey(_key(finding.check), finding.check.name) in context.selected_asset_check_keys
            ]
        for finding in findings:
            yield result(finding)
        grave = [finding.line for finding in findings if finding.grave]
        if grave:
            # Dagster would fail the step by itself, and say nothing but the names of the checks
            line = f"Nothing is published: {' '.join(grave)}"
            if isinstance(opened, Session):  # the command line has opened it, and says why its run failed
                opened.failed(line)
            raise dg.Failure(description=line, allow_retries=False)

    return step


def _audit_step(of: Stage) -> dg.AssetChecksDefinition:
    return _step(
        f"audit_{of.value}",
        f"Check the tables of {of.value}: what is wrong there is not published.",
        checks_of(of),
        lambda store: audit(store.database, store.settings, of),
    )


BLOCKING_CHECKS = [_audit_step(of) for of in Stage]
"""What must hold before anything is published; with each stage's warnings, which stop nothing."""

WARNING_CHECKS = [
    _step(
        "audit_snapshot",
        "Check the snapshot against the one before.",
        [SNAPSHOT_CHECK],
        lambda store: [audit_snapshot(store.database)],
    )
]
"""What is worth a look once it is published."""


@dg.multi_asset_check(name="look_for_failed_partitions", specs=[FAILED_PARTITIONS])
def NO_FAILED_PARTITIONS(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:  # noqa: N802  a definition
    """Name the partitions whose last materialisation failed, of all assets, those first that others are made from."""
    failed = _failed_partitions(context)
    alike: dict[tuple[str, ...], list[str]] = {}
    for asset, partitions in failed.items():
        alike.setdefault(tuple(partitions), []).append(asset)
    named = [
        f"{', '.join(partitions)} of {assets[0]}"
        + (f" and {counted(len(assets) - 1, 'asset')} more" if assets[1:] else "")
        for partitions, assets in alike.items()
    ]
    count = sum(len(partitions) for partitions in failed.values())
    said = f"{counted(count, 'partition is', 'partitions are')} left failed: {'; '.join(named)}"
    sample = [dg.TableRecord({"asset": asset, "partitions": ", ".join(keys)}) for asset, keys in failed.items()]
    return dg.AssetCheckResult(
        passed=not failed,
        description=str(Problem(said, _FAILED_REMEDY)) if failed else FAILED_PARTITIONS.description,
        metadata={
            "count": count,
            "assets": len(failed),
            **({"sample": dg.MetadataValue.table(sample)} if sample else {}),
        },
    )


def _failed_partitions(context: dg.AssetCheckExecutionContext) -> dict[str, list[str]]:
    graph = context.job_def.asset_layer.asset_graph
    if isinstance(graph, JobScopedAssetGraph):  # all assets there are, not those of the job alone
        graph = graph.source_asset_graph
    found: dict[str, list[str]] = {}
    for key in graph.toposorted_asset_keys:
        partitions = graph.get(key).partitions_def
        if partitions is None or not graph.get(key).is_materializable:
            continue
        statuses = context.instance.get_status_by_partition(key, partitions.get_partition_keys(), partitions) or {}
        failed = [partition for partition, status in statuses.items() if status is AssetPartitionStatus.FAILED]
        if failed:
            found[key.to_user_string()] = failed
    return found
