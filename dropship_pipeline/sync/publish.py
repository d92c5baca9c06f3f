"""Publishing: the public tables as a Parquet snapshot; and throwing away raw answers that are past their time."""

from dropship_pipeline.storage import snapshots
from dropship_pipeline.storage.raw import drop_expired
from dropship_pipeline.storage.snapshots import Snapshot
from dropship_pipeline.sync.session import Session


def publish(session: Session) -> Snapshot:
    """Publish all public tables from one transaction, and note it in the summary."""
    session.progress.begin("publish", None)
    snapshot = snapshots.publish(session.database, session.lake, session.run_id, keep=session.settings.snapshots_kept)
    drop_expired(session.lake, session.database, session.settings.raw_days)
    session.progress.advance(len(snapshot.row_counts), len(snapshot.row_counts))
    session.progress.finish()
    session.summary.snapshot = snapshot.path
    session.summary.rows = dict(snapshot.row_counts)
    return snapshot
