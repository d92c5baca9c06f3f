"""How many signed reads a second the fan-out makes, against `requests` in threads and against bare `aiohttp`.

    python benchmarks/fanout_rate.py [--calls 10000] [--rounds 3]

All three ask the simulated Alibaba.com, a process of its own, for the same stock, in turns within one run; what counts
is the ratio. The peers do only what the guide's own example does: sign, send, decode. Ours also paces, counts,
classifies and is ready to repeat. Calls per second of CPU time of this process tell what a core can do when the
sandbox, on the same machine, is the slower side.
"""

import argparse
import asyncio
import hashlib
import hmac
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import NamedTuple

import aiohttp
import requests

from dropship_pipeline.alibaba.dialect import Dialect, DialectMemory
from dropship_pipeline.alibaba.fanout import FanOut
from dropship_pipeline.alibaba.gateway import Gateway
from dropship_pipeline.alibaba.outcomes import Answered
from dropship_pipeline.alibaba.rate import UNLIMITED, LocalCallBudget
from dropship_pipeline.alibaba.requests import ReadInventory
from dropship_pipeline.alibaba.tokens import StaticTokens
from dropship_pipeline.sandbox.launch import SandboxConfig, start

PATH = "/eco/buyer/product/inventory"
PRODUCT = "1600927952535"
CONCURRENCY = 64


class Speed(NamedTuple):
    """Calls per second, of the clock and of this process's CPU time."""

    wall: float
    cpu: float


def signed(env: dict[str, str]) -> dict[str, str]:
    """The parameters of one call, as the guide's example builds them."""
    params = {
        "app_key": env["ALIBABA_APP_KEY"],
        "sign_method": "sha256",
        "timestamp": str(int(time.time() * 1000)),
        "access_token": env["ALIBABA_ACCESS_TOKEN"],
        "inv_req": json.dumps({"product_id": PRODUCT}),
    }
    message = PATH + "".join(f"{name}{value}" for name, value in sorted(params.items()))
    digest = hmac.new(env["ALIBABA_APP_SECRET"].encode(), message.encode(), hashlib.sha256)
    return {**params, "sign": digest.hexdigest().upper()}


def fan_out(url: str, env: dict[str, str], calls: int) -> None:
    """Ours."""
    gateway = Gateway(
        url,
        env["ALIBABA_APP_KEY"],
        env["ALIBABA_APP_SECRET"],
        DialectMemory(Dialect.GUIDE),
        StaticTokens(env["ALIBABA_ACCESS_TOKEN"]),
        LocalCallBudget(UNLIMITED, UNLIMITED),
    )
    with FanOut(gateway, CONCURRENCY) as fan:
        wanted = (ReadInventory(PRODUCT) for _ in range(calls))
        answered = sum(isinstance(outcome, Answered) for batch in fan.batches(wanted, 500) for outcome in batch)
    check(answered, calls)


def requests_in_threads(url: str, env: dict[str, str], calls: int) -> None:
    """A session a thread, which is what most public code does."""
    left: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(calls):
        left.put(number)
    good: list[int] = []

    def work() -> None:
        with requests.Session() as session:
            while True:
                try:
                    left.get_nowait()
                except queue.Empty:
                    return
                document = session.get(url + PATH, params=signed(env), timeout=30).json()
                good.append(document["result"]["result_code"] == "200")

    threads = [threading.Thread(target=work) for _ in range(CONCURRENCY)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check(sum(good), calls)


def bare_aiohttp(url: str, env: dict[str, str], calls: int) -> None:
    """No retries, no pacing, no classification: the least that an asynchronous client can do."""

    async def main() -> int:
        numbers: Iterator[int] = iter(range(calls))
        good = 0

        async def work(session: aiohttp.ClientSession) -> None:
            nonlocal good
            for _ in numbers:
                async with session.get(url + PATH, params=signed(env)) as response:
                    document = json.loads(await response.read())
                    good += document["result"]["result_code"] == "200"

        async with aiohttp.ClientSession() as session:
            await asyncio.gather(*(work(session) for _ in range(CONCURRENCY)))
        return good

    check(asyncio.run(main()), calls)


def check(answered: int, calls: int) -> None:
    """A benchmark of failures would be fast."""
    if answered != calls:
        raise SystemExit(f"only {answered} of {calls} calls were answered")


def timed(run: Callable[[], None], calls: int) -> Speed:
    """The speed of one run."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return Speed(calls / (time.perf_counter() - wall), calls / (time.process_time() - cpu))


def main() -> None:
    """Run all three in turns, and print the medians and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    contenders: dict[str, tuple[Callable[[str, dict[str, str], int], None], int]] = {
        "fan-out": (fan_out, options.calls),
        "bare aiohttp": (bare_aiohttp, options.calls),
        "requests in threads": (requests_in_threads, max(options.calls // 5, 100)),
    }
    speeds: dict[str, list[Speed]] = {name: [] for name in contenders}
    with start(SandboxConfig(products=20, orders=0, drift=0.0)) as sandbox:
        for _ in range(options.rounds):
            for name, (contender, calls) in contenders.items():
                speeds[name].append(
                    timed(lambda run=contender, n=calls: run(sandbox.base_url, sandbox.env, n), calls)  # type: ignore[misc]
                )
    medians = {name: Speed(*map(median, zip(*runs, strict=True))) for name, runs in speeds.items()}
    base = medians["requests in threads"]
    print(f"{'':<22}{'calls/s':>10}{'ratio':>8}{'calls per CPU second':>24}{'ratio':>8}")
    for name, speed in medians.items():
        print(
            f"{name:<22}{speed.wall:>10.0f}{speed.wall / base.wall:>8.1f}{speed.cpu:>24.0f}{speed.cpu / base.cpu:>8.1f}"
        )


if __name__ == "__main__":
    main()
