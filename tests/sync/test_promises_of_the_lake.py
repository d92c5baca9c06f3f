"""What is kept of each answer, what is never kept, and snapshots that can be read while they are replaced."""

import http.client
import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pyarrow.parquet as pq
import pytest
from deployment import Deployment

from dropship_pipeline.sync.request import SyncRequest
from dropship_pipeline.sync.session import Session, open_vault
from dropship_pipeline.sync.stages.publish import publish

Deploy = Callable[..., Deployment]
CATALOGUE = {
    "/rest/eco/buyer/product/check": "listing",
    "/rest/eco/buyer/local/product/check": "listing",
    "/rest/eco/buyer/localregular/product/check": "listing",
    "/rest/eco/buyer/crossborder/product/check": "listing",
    "/rest/eco/buyer/product/description": "description",
    "/rest/eco/buyer/product/inventory": "inventory",
    "/rest/shipping/freight/calculate": "freight",
}


class Witness(ThreadingHTTPServer):
    """Stands between client and gateway, passes answers on (as `change` makes them), and remembers them."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, base_url: str) -> None:
        self.upstream = urlsplit(base_url)
        self.answers: list[tuple[str, int, bytes]] = []
        self.change: Callable[[str, bytes], bytes] = lambda _path, body: body
        super().__init__(("127.0.0.1", 0), _PassOn)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/rest"


class _PassOn(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Witness

    def setup(self) -> None:
        super().setup()
        self.gateway = http.client.HTTPConnection(self.server.upstream.hostname or "", self.server.upstream.port)

    def finish(self) -> None:
        self.gateway.close()
        super().finish()

    def do_GET(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kept = {name: self.headers[name] for name in ("Content-Type",) if name in self.headers}
        self.gateway.request(self.command, self.path, body=sent, headers=kept)
        answer = self.gateway.getresponse()
        body = self.server.change(urlsplit(self.path).path, answer.read())
        self.server.answers.append((urlsplit(self.path).path, answer.status, body))
        self.send_response(answer.status)
        for name in ("Content-Type", "Retry-After"):
            if answer.headers[name]:
                self.send_header(name, answer.headers[name])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""


@pytest.fixture
def witnessed(deploy: Deploy) -> Iterator[tuple[Deployment, Witness]]:
    """A deployment whose every answer is remembered on its way."""
    merchant = deploy(products=80)
    witness = Witness(merchant.sandbox.base_url)
    threading.Thread(target=witness.serve_forever, daemon=True).start()
    merchant.variables.update(ALIBABA_BASE_URL=witness.base_url, ALIBABA_DIALECT="guide")
    yield merchant, witness
    witness.shutdown()
    witness.server_close()


def landed(merchant: Deployment, kind: str) -> list[bytes]:
    files = sorted((merchant.home / "lake" / "raw" / kind).rglob("*.parquet"))
    return [body for file in files for body in pq.read_table(file, columns=["body"])["body"].to_pylist()]


def says_something_about_the_catalogue(status: int, body: bytes) -> bool:
    """Not a throttle, a token that ran out, a backend that failed, half an answer: those are asked for again."""
    try:
        told = json.loads(body)
    except ValueError:
        return False
    passing = ("ApiCallLimit", "IllegalAccessToken", "ServiceUnavailable", "ServiceTimeout")
    return status == 200 and told.get("code") not in passing


def everything_at_rest(merchant: Deployment) -> Iterator[tuple[str, bytes]]:
    """Every file of the home folder, Parquet unpacked, and every row of every table of the database."""
    for file in merchant.home.rglob("*"):
        if file.is_file():
            yield str(file), file.read_bytes()
            if file.suffix == ".parquet":
                yield str(file), repr(pq.ParquetFile(file).read().to_pydict()).encode()
    tables = merchant.rows("SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT LIKE 'pg_%'")
    for table in tables:
        name = f'"{table["schemaname"]}"."{table["tablename"]}"'
        for row in merchant.rows(f"SELECT t::text AS it FROM {name} t"):
            yield name, row["it"].encode()


def test_every_answer_is_kept_byte_for_byte_and_no_secret_is_kept_anywhere(
    witnessed: tuple[Deployment, Witness],
) -> None:
    merchant, witness = witnessed
    seeded = dict(merchant.sandbox.env)
    for fault in (
        "http_500:0.03",
        "truncated_json:0.03",
        "throttle_body:0.02:ban=0",
        "missing_fields:0.2:path=*description",
        "word_price:0.2",
        "token_expired:first=1:after=30:path=*description",
        "detail_gone:0.1",
    ):
        merchant.sandbox.control("faults", {"fault": fault})
    done = merchant.dropship("sync")
    assert merchant.sandbox.control("stats")["endpoints"]["/auth/token/refresh"] == {"ok": 1}

    for kind in ("listing", "description", "inventory", "freight"):
        came = [
            body
            for path, status, body in witness.answers
            if CATALOGUE.get(path) == kind and says_something_about_the_catalogue(status, body)
        ]
        assert came, kind
        assert Counter(landed(merchant, kind)) == Counter(came), kind

    renewed = open_vault(merchant.settings, merchant.database).load("default")
    assert renewed is not None
    assert renewed.access_token != seeded["ALIBABA_ACCESS_TOKEN"]
    secrets = [
        seeded["ALIBABA_APP_SECRET"],
        seeded["ALIBABA_ACCESS_TOKEN"],
        seeded["ALIBABA_REFRESH_TOKEN"],
        renewed.access_token,
        renewed.refresh_token or "",
        merchant.environment["DROPSHIP_SECRET_KEY"],
    ]
    assert all(len(secret) > 8 for secret in secrets)
    needles = [needle for secret in secrets for needle in (secret.encode(), secret.encode().hex().encode())]
    plain = "SELECT title FROM catalog.products WHERE title ~ '^[A-Za-z0-9 ,]+$' ORDER BY 1 LIMIT 1"
    title = merchant.value(plain).encode()
    seen_in: set[str] = set()
    for where, content in everything_at_rest(merchant):
        for needle in needles:
            assert needle not in content, f"a secret lies in {where}"
        if title in content:
            seen_in.add("table" if where.startswith('"') else "snapshot" if "snapshots" in where else "raw")
    assert seen_in == {"table", "snapshot", "raw"}, "what is there is not found: the test shows nothing"
    for needle in needles:
        assert needle.decode() not in done.stdout + done.stderr


def test_a_rejected_record_ends_a_sync_well_and_a_held_feed_does_not_though_all_else_is_done(
    witnessed: tuple[Deployment, Witness],
) -> None:
    merchant, witness = witnessed
    [bad] = merchant.truth("feed?key=mx_top_sellers")["product_ids"][:1]

    def of_another_product(path: str, body: bytes) -> bytes:
        mine = path.endswith("/product/description") and f'"product_id":"{bad}"'.encode() in body
        return body.replace(f'"product_id":"{bad}"'.encode(), b'"product_id":"9"') if mine else body

    witness.change = of_another_product
    done = merchant.dropship("sync", "--json")
    assert json.loads(done.stdout)["problems"] == []
    [record] = merchant.rows("SELECT * FROM ops.rejected_records")
    assert (record["kind"], record["record_key"], record["attempts"]) == ("description", bad, 1)
    assert record["reason"] == "other_product"
    assert "9" in record["message"]
    assert json.loads(record["payload"])["product_id"] == "9"
    assert (merchant.home / "lake" / record["raw_file"]).is_file()
    assert merchant.value(f"SELECT count(*) FROM catalog.products WHERE product_id = '{bad}'") == 0
    assert merchant.value(f"SELECT count(*) FROM catalog.inventory_levels WHERE product_id = '{bad}'") > 0

    merchant.sandbox.control("clock", {"advance_s": 3 * 86_400})
    merchant.sandbox.control("faults", {"fault": "empty_listing:path=*crossborder*"})
    held = merchant.dropship("sync", "--force", check=False)
    assert held.returncode == 1
    [line] = [line for line in held.stderr.splitlines() if line.startswith("dropship: ")]
    assert "cross_border" in line
    assert "--let-through" in line
    assert merchant.value("SELECT count(*) FROM catalog.feed_products WHERE delisted_at IS NOT NULL") < 10
    assert merchant.value("SELECT count(*) FROM catalog.price_changes") > 0
    published = pq.read_table(merchant.home / "lake" / "latest" / "catalog" / "price_changes.parquet")
    assert published.num_rows == merchant.value("SELECT count(*) FROM catalog.price_changes")


def publish_alone(session: Session, _request: SyncRequest) -> None:
    publish(session)


def test_the_last_seven_snapshots_are_kept_and_the_latest_can_be_read_at_any_moment(deploy: Deploy) -> None:
    merchant = deploy(products=40)
    merchant.sync()
    latest = merchant.home / "lake" / "latest"
    done = threading.Event()
    readings: list[int] = []
    complaints: list[Exception] = []

    def read() -> None:
        try:
            while not done.is_set():
                said = json.loads((latest / "snapshot.json").read_bytes())
                # a reader that stays within one snapshot finds it as it was said, also once it is not the latest
                snapshot = merchant.home / "lake" / said["path"]
                for table in ("products", "skus", "price_tiers"):
                    rows = pq.read_metadata(snapshot / "catalog" / f"{table}.parquet").num_rows
                    assert rows == said["row_counts"][f"catalog.{table}"]
                assert pq.read_metadata(latest / "catalog" / "products.parquet").num_rows > 0
                readings.append(rows)
        except (OSError, ValueError, AssertionError) as error:
            complaints.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    published: list[Path] = []
    for number in range(9):
        with merchant.database.begin() as connection:
            connection.exec_driver_sql(
                f"INSERT INTO catalog.product_descriptions VALUES ('{number}', 'more from one snapshot to the next')"
            )
        published.append(Path(merchant.sync(stages=publish_alone).snapshot))
    done.set()
    reader.join()
    assert complaints == []
    assert len(readings) > len(published)
    assert sorted((merchant.home / "lake" / "snapshots").iterdir()) == published[-7:]
    assert latest.resolve() == published[-1].resolve()
