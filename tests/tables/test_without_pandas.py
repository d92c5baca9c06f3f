"""Arrow without pandas: what a sync imports, and that whoever wants a frame of pandas' gets one."""

import subprocess
import sys

_SYNC = """
import sys
import dropship_pipeline.orchestration.run  # all that a sync imports before it opens a session
assert "pandas" not in sys.modules, "imported by something of ours"
from dropship_pipeline.tables.arrow import without_pandas
without_pandas()
import pyarrow as pa
import adbc_driver_postgresql.dbapi
table = pa.table({"title": ["lamp", None], "price": pa.array([1, 2], pa.decimal128(18, 4))})
assert "pandas" not in sys.modules, "imported by pyarrow"
"""

_FRAME = """
assert table.to_pandas()["title"].tolist()[0] == "lamp"
import pandas as pd
assert pa.array(pd.Series([1.0, float("nan")])).null_count == 1
without_pandas()
assert pa.array(pd.Series([1.0, float("nan")])).null_count == 1
"""


def test_a_sync_has_no_pandas_in_memory_and_a_frame_is_to_be_had_all_the_same() -> None:
    done = subprocess.run([sys.executable, "-c", _SYNC + _FRAME], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
