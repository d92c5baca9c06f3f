"""The lake in a bucket: the same promises over S3's HTTP, by pyarrow's client, to a small server in this process."""

import io
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

import orjson
import pyarrow.parquet as pq
import pytest

from dropship_pipeline.lake import read, snapshots
from dropship_pipeline.storage.lake.place import Lake, LakeProblem
from dropship_pipeline.storage.lake.published import find
from dropship_pipeline.storage.lake.raw import RawAnswer, RawWriter, TornRawFile, drop_expired, read_raw, unmerged
from dropship_pipeline.storage.lake.snapshots import latest_snapshot, publish
from dropship_pipeline.storage.reading.lake_questions import ask_snapshot
from dropship_pipeline.storage.server.database import Database
from dropship_pipeline.tables.registry import PUBLISHED

BUCKET = "lake"


def unchunked(source: IO[bytes] | io.BufferedIOBase) -> bytes:
    """The content of chunks, each after its length in hexadecimal: HTTP's framing, and AWS's own inside of it."""
    whole = b""
    while size := int(source.readline().split(b";")[0], 16):
        whole += source.read(size)
        source.readline()
    while source.readline().strip():
        pass  # trailers: checksums
    return whole


class Bucket(BaseHTTPRequestHandler):
    """As much of S3 as pyarrow uses: put, get, head, delete, copy, list, upload in parts."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # an answer in one packet
    objects: dict[str, bytes]
    parts: dict[str, dict[int, bytes]]
    refuses_writes = False

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    def handle_expect_100(self) -> bool:
        super().handle_expect_100()
        self.wfile.flush()  # else the client waits for a second before it sends
        return True

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status != 204:
            self.send_header("Content-Length", headers.pop("length", str(len(body))))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, code: str) -> None:
        self.answer(status, f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode())

    def body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            data = unchunked(self.rfile)
        else:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        return unchunked(io.BytesIO(data)) if "aws-chunked" in self.headers.get("Content-Encoding", "") else data

    def target(self) -> tuple[str | None, dict[str, str]]:
        """The key ('' for the bucket itself, None for another bucket), and the parameters."""
        url = urlsplit(self.path)
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        return (key if bucket == BUCKET else None), query

    def do_HEAD(self) -> None:
        key, _ = self.target()
        if key is None or (key and key not in self.objects):
            self.answer(404)
        else:
            self.answer(200, self.objects.get(key, b""), Last_Modified="Mon, 01 Jan 2024 00:00:00 GMT", ETag='"x"')

    def do_GET(self) -> None:
        key, query = self.target()
        if key is None:
            self.refuse(404, "NoSuchBucket")
        elif not key:
            self.answer(200, self.listing(query))
        elif key not in self.objects:
            self.refuse(404, "NoSuchKey")
        else:
            data, asked = self.objects[key], re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range") or "")
            if asked:
                first, last = int(asked[1]), min(int(asked[2]), len(data) - 1)
                self.answer(206, data[first : last + 1], Content_Range=f"bytes {first}-{last}/{len(data)}")
            else:
                self.answer(200, data)

    def listing(self, query: dict[str, str]) -> bytes:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        keys, prefixes = [], set()
        for key in sorted(key for key in self.objects if key.startswith(prefix)):
            inside, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
            if found:
                prefixes.add(prefix + inside + delimiter)
            else:
                keys.append(key)
        keys = keys[: int(query.get("max-keys", "1000"))]
        contents = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[key])}</Size>"
            "<LastModified>2024-01-01T00:00:00.000Z</LastModified></Contents>"
            for key in keys
        )
        folders = (f"<Prefix>{escape(folder)}</Prefix>" for folder in sorted(prefixes))
        common = "".join(f"<CommonPrefixes>{folder}</CommonPrefixes>" for folder in folders)
        count = len(keys) + len(prefixes)
        return (
            f"<ListBucketResult><Name>{BUCKET}</Name><KeyCount>{count}</KeyCount><IsTruncated>false</IsTruncated>"
            f"{contents}{common}</ListBucketResult>"
        ).encode()

    def do_PUT(self) -> None:
        key, query = self.target()
        data = self.body()
        if key is None:
            self.refuse(404, "NoSuchBucket")
        elif self.refuses_writes:
            self.refuse(403, "AccessDenied")
        elif "uploadId" in query:
            self.parts[query["uploadId"]][int(query["partNumber"])] = data
            self.answer(200, ETag='"x"')
        elif "x-amz-copy-source" in self.headers:
            source = unquote(self.headers["x-amz-copy-source"]).lstrip("/").partition("/")[2]
            self.objects[key] = self.objects[source]
            self.answer(200, b'<CopyObjectResult><ETag>"x"</ETag></CopyObjectResult>')
        else:
            self.objects[key] = data
            self.answer(200, ETag='"x"')

    def do_POST(self) -> None:
        key, query = self.target()
        body = self.body()
        if key is None:
            self.refuse(404, "NoSuchBucket")
        elif "delete" in query:
            for gone in re.findall(rb"<Key>(.*?)</Key>", body):
                self.objects.pop(gone.decode(), None)
            self.answer(200, b"<DeleteResult></DeleteResult>")
        elif self.refuses_writes:
            self.refuse(403, "AccessDenied")
        elif "uploads" in query:
            upload = str(len(self.parts) + 1)
            self.parts[upload] = {}
            self.answer(
                200,
                f"<InitiateMultipartUploadResult><UploadId>{upload}</UploadId></InitiateMultipartUploadResult>".encode(),
            )
        else:
            self.objects[key] = b"".join(data for _, data in sorted(self.parts[query["uploadId"]].items()))
            self.answer(200, b'<CompleteMultipartUploadResult><ETag>"x"</ETag></CompleteMultipartUploadResult>')

    def do_DELETE(self) -> None:
        key, _ = self.target()
        self.objects.pop(key or "", None)
        self.answer(204)


Served = tuple[type[Bucket], str]


@pytest.fixture
def bucket() -> Iterator[Served]:
    """The server's state, and the lake's address in it."""
    state = type("State", (Bucket,), {"objects": {}, "parts": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), state) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        where = f"endpoint_override=127.0.0.1:{server.server_port}&scheme=http&region=us-east-1"
        yield state, f"s3://AKIAKEY:s3cr3tkey@{BUCKET}/some/where?{where}"
        server.shutdown()
        thread.join()


def test_what_is_written_is_listed_read_renamed_and_deleted(bucket: Served) -> None:
    state, url = bucket
    lake = Lake(url)
    assert lake.location == "s3://lake/some/where"
    assert lake.files("raw") == lake.folders("") == []
    lake.write("raw/a/1.bin", b"one")
    assert state.objects["some/where/raw/a/1.bin"] == b"one"
    assert lake.files("raw") == ["raw/a/1.bin"]
    assert lake.folders("raw") == ["raw/a"]
    assert lake.read("raw/a/1.bin").to_pybytes() == b"one"
    lake.rename("raw/a/1.bin", "raw/a/2.bin")
    assert not lake.exists("raw/a/1.bin")
    lake.delete("raw/a/2.bin")
    lake.delete("raw/a/2.bin")
    assert lake.files("raw") == []


def test_raw_answers_land_in_a_bucket_and_are_found_again(bucket: Served, database: Database) -> None:
    lake = Lake(bucket[1])
    answer = RawAnswer("1", "{}", datetime.now(UTC), 200, b"x" * 1000)
    landed = RawWriter(lake).land("description", "run", [answer])
    assert unmerged(database, lake, "description", timedelta(days=1)) == [landed]
    assert read_raw(lake, landed.path) == [answer]
    lake.write(landed.path, b"PAR1 torn")
    with pytest.raises(TornRawFile):
        read_raw(lake, landed.path)
    assert unmerged(database, lake, "description", timedelta(days=1)) == []
    assert drop_expired(lake, database, days=-1) == 1
    assert lake.files("raw") == []


def test_snapshots_are_published_to_a_bucket_and_old_ones_go(bucket: Served, database: Database) -> None:
    lake = Lake(bucket[1])
    assert latest_snapshot(lake) is None
    published = [publish(database, lake, "run", keep=2).path for _ in range(3)]
    assert latest_snapshot(lake) == published[-1]
    assert [lake.at(folder) for folder in lake.folders("snapshots")] == published[1:]
    newest = orjson.loads(lake.read("latest.json").to_pybytes())
    for table in PUBLISHED:
        with lake.open_input(f"{newest['path']}/{table.schema}/{table.name}.parquet") as source:
            assert pq.read_table(source).num_rows == 0


def test_what_nobody_wrote_to_is_copied_within_the_bucket(bucket: Served, database: Database) -> None:
    state, url = bucket
    lake = Lake(url)
    first = publish(database, lake, "run", keep=2).path
    with database.begin() as connection:
        connection.exec_driver_sql("INSERT INTO catalog.price_tiers VALUES ('1', 1, 'P1', NULL, 12.34, 'USD')")
    second = publish(database, lake, "run", keep=2).path
    anew = {
        table.name
        for table in PUBLISHED
        if state.objects[key(first, table.name)] is not state.objects[key(second, table.name)]
    }
    assert anew == {"price_tiers"}


def key(snapshot: str, table: str) -> str:
    [schema] = {one.schema for one in PUBLISHED if one.name == table}
    return f"{snapshot.removeprefix(f's3://{BUCKET}/')}/{schema}/{table}.parquet"


def test_what_was_published_to_a_bucket_is_read_from_there(bucket: Served, database: Database) -> None:
    with database.begin() as connection:
        connection.exec_driver_sql("INSERT INTO catalog.price_tiers VALUES ('1', 1, 'P1', NULL, 12.34, 'USD')")
    lake = Lake(bucket[1])
    publish(database, lake, "run", keep=2)
    assert [str(price) for price in read("price_tiers", lake=bucket[1]).price] == ["12.3400"]
    assert list(snapshots(bucket[1])["rows"]) == [1]
    with ask_snapshot(find(lake), "SELECT sku_id, price FROM catalog.price_tiers") as answer:
        assert list(answer.rows) == [("1", "12.3400")]


def test_a_publish_that_fails_leaves_the_newest_as_it_was(bucket: Served, database: Database) -> None:
    state, url = bucket
    lake = Lake(url)
    before = publish(database, lake, "run", keep=7).path
    state.refuses_writes = True
    with pytest.raises(LakeProblem, match=r"s3://lake/some/where/.*ACCESS_DENIED.*DROPSHIP_LAKE_URL"):
        publish(database, lake, "run", keep=7)
    state.refuses_writes = False
    assert latest_snapshot(lake) == before
    assert len(lake.folders("snapshots")) == 1


def test_what_a_killed_publish_left_in_a_bucket_goes_with_the_next(bucket: Served, database: Database) -> None:
    lake = Lake(bucket[1])
    lake.write("snapshots/2024-01-01T00-00-00Z/catalog/products.parquet", b"half of it")
    lake.write("snapshots/mine/keep.txt", b"not ours")
    published = publish(database, lake, "run", keep=7)
    assert [lake.at(path) for path in lake.folders("snapshots")] == [published.path, lake.at("snapshots/mine")]


def test_a_bucket_that_is_not_there_is_named_without_the_keys(bucket: Served) -> None:
    lake = Lake(bucket[1].replace(f"@{BUCKET}/", "@nobody/"))
    with pytest.raises(LakeProblem, match=r"s3://nobody/some/where/x failed: .*NO_SUCH_BUCKET") as caught:
        lake.write("x", b"1")
    assert "s3cr3t" not in str(caught.value)
