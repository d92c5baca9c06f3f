"""Peak memory of `dropship sync` at different sizes of the catalogue: it must not grow with it.

    python benchmarks/sync_memory.py 2000 100000

Runs the command line against the simulated Alibaba.com and an embedded Postgres in a folder of its own, once a size,
and prints a line of JSON each: products, seconds, calls, peak resident memory and CPU seconds of the sync process.
"""

import json
import os
import subprocess
import sys
import tempfile
import time

from dropship_pipeline.sandbox.launch import SandboxConfig, start


def measure(products: int) -> dict[str, float]:
    """One first sync of so many products."""
    with (
        tempfile.TemporaryDirectory(prefix="sync-memory-", ignore_cleanup_errors=True) as home,
        start(SandboxConfig(products=products, orders=0, drift=0)) as sandbox,
    ):
        os.chmod(home, 0o755)  # noqa: PTH101  the embedded server runs as a user of its own where this runs as root
        env = {**os.environ, **sandbox.env, "DROPSHIP_HOME": home, "ALIBABA_CALLS_PER_SECOND": "1000000"}
        began = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "dropship_pipeline.cli", "sync", "--json"], env=env, stdout=subprocess.PIPE
        )
        output = process.stdout.read() if process.stdout else b""
        _, status, usage = os.wait4(process.pid, 0)
        if status:
            raise SystemExit(f"the sync of {products} products ended with {os.waitstatus_to_exitcode(status)}")
        summary = json.loads(output)
        return {
            "products": summary["rows"]["catalog.products"],
            "seconds": round(time.monotonic() - began, 1),
            "calls": summary["calls"]["calls"],
            "peak_mb": round(usage.ru_maxrss / 1024, 1),
            "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        }


if __name__ == "__main__":
    for size in [int(argument) for argument in sys.argv[1:]] or [2_000, 100_000]:
        print(json.dumps(measure(size)), flush=True)
