"""How many signed calls a second the simulated Alibaba.com answers on one core.

Description and inventory reads, half and half, each pair of another product, signed beforehand and sent over kept-alive
sockets by a client that does next to nothing, so that the server is what is measured. The server runs on one core and
the client on another where the system lets them choose. Checked afterwards: the sandbox's own counters say that every
call was answered, with success.

    python benchmarks/sandbox_rate.py [--calls 40000] [--products 100000] [--connections 32] [--minimum 5000]
"""

import argparse
import hashlib
import hmac
import json
import os
import select
import socket
import sys
import time
import urllib.parse
from pathlib import Path

from dropship_pipeline.sandbox.launch import Running, SandboxConfig, start

_DESCRIPTION, _INVENTORY = "/eco/buyer/product/description", "/eco/buyer/product/inventory"


def main() -> int:
    """Measure, print a line of JSON, and exit 1 below the minimum."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=40_000)
    parser.add_argument("--products", type=int, default=100_000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--minimum", type=float, default=5_000, help="calls/s below which this fails")
    options = parser.parse_args()
    with start(SandboxConfig(products=options.products, orders=0)) as running:
        cores = _part_cores(running.process.pid)
        requests = _requests(running, options.calls)
        before = _cpu_seconds(running.process.pid)
        seconds = _drive(running, requests, options.connections)
        cpu = _cpu_seconds(running.process.pid) - before
        outcomes = running.control("stats")["endpoints"]
    answered = sum(count.get("ok", 0) for count in outcomes.values())
    if answered != options.calls:
        raise SystemExit(f"{options.calls} calls were sent, {answered} were answered with success: {outcomes}")
    rate = options.calls / seconds
    print(
        json.dumps(
            {
                "calls": options.calls,
                "products": options.products,
                "calls_per_second": round(rate),
                "server_cpu_us_per_call": round(cpu / options.calls * 1e6, 1),
                "cores_parted": cores,
            }
        )
    )
    return int(rate < options.minimum)


def _part_cores(server: int) -> bool:
    """Put the server and this process on different cores, if there are two to choose from."""
    if not hasattr(os, "sched_setaffinity"):
        return False
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(server, {cores[0]})
    if len(cores) > 1:
        os.sched_setaffinity(0, {cores[1]})
    return len(cores) > 1


def _cpu_seconds(pid: int) -> float:
    """User and system time of a process; 0 where the system does not tell (no /proc)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _requests(running: Running, calls: int) -> list[bytes]:
    ids = running.control("truth/products")["product_ids"]
    host = urllib.parse.urlsplit(running.base_url).netloc
    timestamp = str(int(time.time() * 1000))
    return [
        _signed(running.env, host, timestamp, _INVENTORY, "inv_req", ids[number // 2 % len(ids)])
        if number % 2
        else _signed(running.env, host, timestamp, _DESCRIPTION, "query_req", ids[number // 2 % len(ids)])
        for number in range(calls)
    ]


def _signed(env: dict[str, str], host: str, timestamp: str, path: str, parameter: str, product_id: str) -> bytes:
    params = {
        "app_key": env["ALIBABA_APP_KEY"],
        "access_token": env["ALIBABA_ACCESS_TOKEN"],
        "sign_method": "sha256",
        "timestamp": timestamp,
        parameter: json.dumps({"product_id": product_id}),
    }
    text = path + "".join(name + params[name] for name in sorted(params))
    params["sign"] = hmac.new(env["ALIBABA_APP_SECRET"].encode(), text.encode(), hashlib.sha256).hexdigest().upper()
    query = urllib.parse.urlencode(params)
    head = f"GET /rest{path}?{query} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\nAccept-Encoding: gzip\r\n\r\n"
    return head.encode()


def _drive(running: Running, requests: list[bytes], connections: int) -> float:
    """Send every request, one at a time on each connection; the seconds it took."""
    url = urllib.parse.urlsplit(running.base_url)
    poller = select.poll()
    sockets: dict[int, socket.socket] = {}
    waiting: dict[int, int] = {}  # bytes still to come of the answer on each socket; -1: its head
    for _ in range(min(connections, len(requests))):
        connection = socket.create_connection((url.hostname or "", url.port or 80))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sockets[connection.fileno()] = connection
        poller.register(connection, select.POLLIN)
    todo = iter(requests)
    done = 0
    started = time.perf_counter()
    for number, connection in sockets.items():
        connection.sendall(next(todo))
        waiting[number] = -1
    while done < len(requests):
        for number, _ in poller.poll():
            data = sockets[number].recv(262_144)
            if not data:
                raise SystemExit("the sandbox closed a connection")
            waiting[number] = _left(data) if waiting[number] < 0 else waiting[number] - len(data)
            if waiting[number]:
                continue
            done += 1
            request = next(todo, None)
            if request is not None:
                waiting[number] = -1
                sockets[number].sendall(request)
    seconds = time.perf_counter() - started
    for connection in sockets.values():
        connection.close()
    return seconds


def _left(data: bytes) -> int:
    """How many bytes of an answer are missing behind its first part, which holds the whole head."""
    head, _, body = data.partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return int(length) - len(body)


if __name__ == "__main__":
    sys.exit(main())
