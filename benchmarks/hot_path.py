"""What a product costs on its way from the wire into Arrow tables: CPU by step, without network, Postgres or disk.

    python benchmarks/hot_path.py [--products 500] [--rounds 5] [--against CHECKOUT]

A simulated Alibaba.com is asked once for the descriptions and the stock of that many products; the answers, as bytes,
then go through each step again and again in this process: signing the call, telling the answer apart, landing it,
normalising it. Milliseconds of CPU a product, the medians of the rounds; collections of garbage are part of it. With
`--against`, another checkout does the same in turns, over the same answers, and the ratios are told.
"""

import argparse
import gc
import json
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

Canned = dict[str, list[tuple[str, bytes]]]
REPEATS = 4


def can(products: int) -> Canned:
    """The answers of the simulated Alibaba.com: (product ID, body) by operation."""
    from dropship_pipeline.alibaba.dialect import Dialect, DialectMemory  # noqa: PLC0415
    from dropship_pipeline.alibaba.fanout import FanOut  # noqa: PLC0415
    from dropship_pipeline.alibaba.gateway import Gateway  # noqa: PLC0415
    from dropship_pipeline.alibaba.outcomes import Answered  # noqa: PLC0415
    from dropship_pipeline.alibaba.products import read_product_page  # noqa: PLC0415
    from dropship_pipeline.alibaba.rate import UNLIMITED, LocalCallBudget  # noqa: PLC0415
    from dropship_pipeline.alibaba.requests import DescribeProduct, ListProducts, ReadInventory  # noqa: PLC0415
    from dropship_pipeline.alibaba.tokens import StaticTokens  # noqa: PLC0415
    from dropship_pipeline.sandbox.launch import SandboxConfig, start  # noqa: PLC0415

    with start(SandboxConfig(products=2 * products, orders=0, drift=0)) as sandbox:
        gateway = Gateway(
            sandbox.env["ALIBABA_BASE_URL"],
            sandbox.env["ALIBABA_APP_KEY"],
            sandbox.env["ALIBABA_APP_SECRET"],
            DialectMemory(Dialect.GUIDE),
            StaticTokens(sandbox.env["ALIBABA_ACCESS_TOKEN"]),
            LocalCallBudget(UNLIMITED, rate=UNLIMITED),
        )

        def ask(requests: list[Any]) -> list[Any]:
            return [outcome.answer for outcome in fanout.map(requests) if isinstance(outcome, Answered)]

        with FanOut(gateway) as fanout:
            pages = ask([ListProducts("crossborder", page, 100) for page in range(products // 100 + 1)])
            ids = [one for page in pages for one in read_product_page(page.payload).product_ids][:products]
            return {
                kind: [(answer.request.key, answer.body) for answer in ask([request(one) for one in ids])]
                for kind, request in (("describe_product", DescribeProduct), ("read_inventory", ReadInventory))
            }


def timed(work: Callable[[], object], products: int) -> float:
    """Milliseconds of CPU a product, collections included."""
    gc.collect()
    began = time.process_time()
    for _ in range(REPEATS):
        work()
    return (time.process_time() - began) / REPEATS / products * 1000


def steps(canned: Canned) -> dict[str, float]:
    """One round: milliseconds of CPU a product by step."""
    from dropship_pipeline.alibaba.answers import read_answer  # noqa: PLC0415
    from dropship_pipeline.alibaba.dialect import Dialect, DialectMemory  # noqa: PLC0415
    from dropship_pipeline.alibaba.gateway import Gateway  # noqa: PLC0415
    from dropship_pipeline.alibaba.outcomes import Answered  # noqa: PLC0415
    from dropship_pipeline.alibaba.protocol import Answer  # noqa: PLC0415
    from dropship_pipeline.alibaba.rate import UNLIMITED, LocalCallBudget  # noqa: PLC0415
    from dropship_pipeline.alibaba.requests import DescribeProduct, ReadInventory  # noqa: PLC0415
    from dropship_pipeline.alibaba.tokens import StaticTokens  # noqa: PLC0415
    from dropship_pipeline.storage.lake.place import Lake  # noqa: PLC0415
    from dropship_pipeline.storage.lake.raw import RawWriter  # noqa: PLC0415
    from dropship_pipeline.sync.stages.describe import DESCRIPTION  # noqa: PLC0415
    from dropship_pipeline.sync.stages.landing import settled  # noqa: PLC0415
    from dropship_pipeline.sync.stages.pipeline import HAND_OVER, settle  # noqa: PLC0415
    from dropship_pipeline.sync.stages.stock import STOCK  # noqa: PLC0415

    class Unmerged:
        """Takes what would go into Postgres."""

        def merge(self, *batch: object) -> None:
            """Nothing else."""

    gateway = Gateway(
        "http://localhost/rest",
        "500000",
        "secret",
        DialectMemory(Dialect.GUIDE),
        StaticTokens("token-" * 10),
        LocalCallBudget(UNLIMITED, rate=UNLIMITED),
    )
    now = datetime.now(UTC)
    found = {}
    gc.freeze()  # as a session does it; `--against` may be a checkout from before it had words for that
    gc.set_threshold(250_000)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        lake = RawWriter(Lake(folder))
        for kind, request, row in (
            (DESCRIPTION, DescribeProduct, "describe"),
            (STOCK, ReadInventory, "stock"),
        ):
            bodies = canned[kind.operation.name]

            def sign(bodies: Any = bodies, request: Any = request) -> None:
                for key, _ in bodies:
                    gateway.sign(request(key), Dialect.GUIDE, gateway.tokens.ready())

            def tell(bodies: Any = bodies, kind: Any = kind) -> list[Any]:
                return [read_answer(kind.operation, 200, body) for _, body in bodies]

            def outcomes(bodies: Any = bodies, kind: Any = kind, request: Any = request) -> list[Any]:
                return [
                    Answered(
                        Answer(request(key), read_answer(kind.operation, 200, body).payload, body, now, None, 1, 200)
                    )
                    for key, body in bodies
                ]

            def batches(all_: Any) -> list[Any]:
                return [all_[start : start + HAND_OVER] for start in range(0, len(all_), HAND_OVER)]

            ready = batches(outcomes())
            landed = [settled(batch) for batch in ready]

            def land(ready: Any = ready, kind: Any = kind) -> None:
                for batch in ready:
                    lake.land(kind.name, "run", settled(batch)[2])

            def normalise(landed: Any = landed, kind: Any = kind) -> None:
                from dataclasses import replace  # noqa: PLC0415

                unmerged = replace(kind, merge=Unmerged.merge)
                for answers, _, _ in landed:
                    settle(Unmerged(), unmerged, answers, "raw/x", ())  # type: ignore[arg-type]

            found[f"{row}: sign"] = timed(sign, len(bodies))
            found[f"{row}: tell apart"] = timed(tell, len(bodies))
            found[f"{row}: land"] = timed(land, len(bodies))
            found[f"{row}: normalise"] = timed(normalise, len(bodies))
    return found


def main() -> None:
    """One comparison."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--products", type=int, default=500)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--against", type=Path)
    arguments.add_argument("--round", type=Path, help=argparse.SUPPRESS)
    chosen = arguments.parse_args()
    if chosen.round:
        print(json.dumps(steps(pickle.loads(chosen.round.read_bytes()))))
        return
    here = Path(__file__).resolve().parent.parent
    checkouts = [here] if chosen.against is None else [chosen.against.resolve(), here]
    rounds: list[list[dict[str, float]]] = [[] for _ in checkouts]
    with tempfile.NamedTemporaryFile() as file:
        file.write(pickle.dumps(can(chosen.products)))
        file.flush()
        for _ in range(chosen.rounds):
            for checkout, kept in zip(checkouts, rounds, strict=True):
                environment = {**os.environ, "PYTHONPATH": str(checkout)}
                command = [sys.executable, __file__, "--round", file.name]
                done = subprocess.run(command, env=environment, cwd=checkout, check=True, capture_output=True)
                kept.append(json.loads(done.stdout))
    medians = [{step: median(one[step] for one in kept) for step in kept[0]} for kept in rounds]
    for figures in medians:
        figures["total"] = sum(figures.values())
    print(f"{'CPU ms a product':24}{'against':>9}{'here':>9}{'ratio':>8}" if chosen.against else "CPU ms a product")
    for step, here_ms in medians[-1].items():
        if chosen.against:
            print(f"{step:24}{medians[0][step]:9.4f}{here_ms:9.4f}{here_ms / medians[0][step]:8.2f}")
        else:
            print(f"{step:24}{here_ms:9.4f}")


if __name__ == "__main__":
    main()
