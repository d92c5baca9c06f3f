"""Publishing: the public tables as a Parquet snapshot; and throwing away raw answers that are past their time."""

from dropship_pipeline.garbage import give_back
from dropship_pipeline.storage.lake import snapshots
from dropship_pipeline.storage.lake.raw import drop_expired
from dropship_pipeline.storage.lake.snapshots import Snapshot
from dropship_pipeline.sync.session import Session, Store


def publish(store: Store) -> Snapshot:
    """Publish all public tables from one transaction; a session notes it in its summary."""
    store.progress.begin("publish", None)
    snapshot = snapshots.publish(store.database, store.lake, store.run_id, keep=store.settings.snapshots_kept)
    for line in snapshot.set_aside:
        store.progress.note(line)
    drop_expired(store.lake, store.database, store.settings.raw_days)
    store.progress.advance(len(snapshot.row_counts), len(snapshot.row_counts))
    store.progress.finish()
    give_back()
    if isinstance(store, Session):
        store.summary.snapshot = snapshot.path
        store.summary.rows = dict(snapshot.row_counts)
    return snapshot
