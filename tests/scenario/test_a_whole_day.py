"""A merchant's whole day with everything that goes wrong in one, and debug logging on: of the tokens, the secrets and
the people who were planted in it nothing is left anywhere but where it belongs.
"""

import json
import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import pytest
from dagster_runs import installed, run_job
from deployment import SECRET_KEY, Deployment
from order_truth import GUIDES
from placing_steps import CREATE, LIST, PAY, fault, no_faults, wanted
from posting import Receiver, body_of, receiving, signature
from searching import found_in, texts_of_files, texts_of_tables
from sensor_ticks import run_asked, tick
from slack_webhook import SECRET_PATH, slack
from sqlalchemy.engine import make_url
from two_buyers import let_in, vault_of

from dropship_pipeline.cli.commands import run

Deploy = Callable[..., Deployment]

PASSWORD = "pl4nted-p4ssw0rd-0f-p0stgres"
MAIL = "wilhelmina.planted@people.example"
FORGED = "Nobody-Signed-This Boulevard 9"


@dataclass
class Day:
    """What was said all day, and what must not have been: `secrets` nowhere, `people` in one table alone."""

    merchant: Deployment
    instance: dg.DagsterInstance
    heard: pytest.CaptureFixture[str]
    said: list[str] = field(default_factory=list)

    def type(self, *arguments: str, status: int = 0) -> str:
        """Type a command; what it wrote on standard output. Everything that it says is kept."""
        self.listen()
        try:
            ended = run(["--debug", *arguments])
        except Exception as error:  # noqa: BLE001  --debug lets through what came, whatever it is
            self.said.append("".join(traceback.format_exception(error)))
            ended = 1
        out, err = self.heard.readouterr()
        self.said += [out, err]
        assert ended == status, f"{arguments}: {out}{err}"
        return out

    def tick(self, sensor: str, cursor: str | None = None) -> str | None:
        """One tick of a sensor, and the runs that it asks for; its cursor. Where it fails, that is what is said."""
        try:
            seen = tick(self.instance, sensor, cursor)
        except dg.DagsterError as error:
            self.said.append("".join(traceback.format_exception(error)))
            return cursor
        self.said.append(seen.skip_message or "")
        run_asked(self.instance, seen.run_requests or [])
        return seen.cursor

    def listen(self) -> None:
        """Keep what was written meanwhile."""
        self.said += self.heard.readouterr()


def secrets_of(merchant: Deployment) -> dict[str, str]:
    """What nobody may ever read."""
    pairs = {account: vault_of(merchant).load(account) for account in ("default", "lakeshore")}
    tokens = {
        f"{kind} token of {account}": getattr(pair, f"{kind}_token")
        for account, pair in pairs.items()
        for kind in ("access", "refresh")
    }
    return {
        **tokens,
        "app secret": merchant.sandbox.env["ALIBABA_APP_SECRET"],
        "first access token": merchant.sandbox.env["ALIBABA_ACCESS_TOKEN"],
        "first refresh token": merchant.sandbox.env["ALIBABA_REFRESH_TOKEN"],
        "password of Postgres": PASSWORD,
        "key of the tokens": SECRET_KEY,
        "where alerts go": SECRET_PATH,
        "a forged message": FORGED,
    }


def people_of(merchant: Deployment) -> dict[str, str]:
    """Names, streets, telephone numbers and an e-mail of all to whom anything was sent."""
    people = {"e-mail": MAIL}
    for order in merchant.truth("orders")["orders"]:
        to, trade_id = order["recipient"], order["trade_id"]
        if trade_id not in GUIDES:  # whose recipients are examples, printed in the guide
            people[f"name of {trade_id}"] = to["contact_person"]
            people[f"street of {trade_id}"] = to["address"]
            phone = to["mobile"] if to["mobile"]["number"] else to["telephone"]
            people[f"number of {trade_id}"] = phone["number"]
            people[f"number of {trade_id} with its country"] = phone["country"].strip("+") + phone["number"]
    return people


def write_order(folder: Path, merchant: Deployment, reference: str, **changes: object) -> str:
    """The order as the merchant keeps it: a file that names the recipient, and is no part of what is searched."""
    path = folder / f"{reference}.json"
    path.write_text(json.dumps(wanted(merchant, reference, remark=f"Write to {MAIL}", **changes)))
    return str(path)


def pushes_arrive(day: Day, receiver: Receiver) -> None:
    """Genuine ones of the simulated Alibaba.com, some lost and doubled; and some that nobody signed."""
    day.merchant.sandbox.control("pushes", {"url": receiver.address, "retry_s": 0.05, "drop": 0.2, "duplicate": 0.3})
    forged = body_of(productId="1", option="ADD", address=FORGED)
    app_key = day.merchant.sandbox.env["ALIBABA_APP_KEY"]
    token = day.merchant.sandbox.env["ALIBABA_ACCESS_TOKEN"]
    assert receiver.post(forged, signature(forged, "not the secret", app_key)).status == 401
    assert receiver.post(forged, token).status == 401
    assert receiver.request("POST", f"/{token}?access_token={token}", forged).status == 404
    day.said += [receiver.request("GET", path).body for path in ("/metrics", "/health")]


def orders_are_placed(day: Day, folder: Path) -> None:
    """One is paid, one's answer is lost, one cancelled, one refused by an answer that repeats who it was for."""
    merchant = day.merchant
    day.type("orders", "quote", "--file", write_order(folder, merchant, "PAID"))
    fault(merchant, f"throttle_body:ban=0:path={CREATE}:first=1")
    day.type("orders", "place", "PAID")
    fault(merchant, f"reset:path={PAY}:first=1")
    day.type("orders", "pay", "PAID", "--yes", "--user-ip", "203.0.113.7")
    fault(merchant, f"reset:path={CREATE}:first=1")
    day.type("orders", "place", "--file", write_order(folder, merchant, "LOST"), "--json")
    day.type("orders", "place", "--file", write_order(folder, merchant, "CANCELLED"))
    day.type("orders", "cancel", "CANCELLED", "--reason", "changed their mind")
    street = wanted(merchant)["recipient"]["address"]
    fault(merchant, f"refuse:code=140004:shape=business:message={street}:path={CREATE}:first=1")
    day.type("orders", "place", "--file", write_order(folder, merchant, "REFUSED"), status=1)
    day.type("orders", "quote", "--file", write_order(folder, merchant, "BY-A-RUN"))
    ops: dict[str, object] = {"place_quoted_order": {"config": {"reference": "BY-A-RUN"}}}
    assert run_job(day.instance, "place_order", ops=ops).is_success
    day.type("orders", "show", "PAID")
    day.type("orders", "show", "REFUSED", "--json")


def things_fail(day: Day) -> None:
    """Runs and a tick to which Alibaba.com repeats a token, and a table that refuses to take a recipient."""
    merchant = day.merchant
    fault(merchant, f"refuse:code=InvalidParameter:message={merchant.sandbox.env['ALIBABA_ACCESS_TOKEN']}:path={LIST}")
    day.tick("order_status_sensor")
    assert not run_job(
        day.instance, "orders_reconciliation", feeds=merchant.value("SELECT current_date::text")
    ).is_success
    day.type("orders", "sync", status=1)
    no_faults(merchant)
    with merchant.database.begin() as connection:
        trade_id = connection.exec_driver_sql("SELECT max(trade_id) FROM orders.recipients").scalar_one()
        connection.exec_driver_sql("DELETE FROM orders.recipients")
        connection.exec_driver_sql("ALTER TABLE orders.recipients ADD CONSTRAINT nobody CHECK (false)")
    ops: dict[str, object] = {"read_orders": {"config": {"trade_ids": [trade_id]}}}
    assert not run_job(day.instance, "orders_refresh", ops=ops).is_success
    day.type("orders", "sync", "--order", trade_id, status=1)
    with merchant.database.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders.recipients DROP CONSTRAINT nobody")
    day.type("orders", "sync", "--order", trade_id)
    day.tick("alerts")


@pytest.fixture
def heard(capfd: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    return capfd


def test_a_day_leaves_people_in_one_table_and_secrets_nowhere(
    deploy: Deploy,
    tmp_path: Path,
    postgres_home: Path,
    heard: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    typed, folder = tmp_path / "typed", tmp_path / "here"
    typed.mkdir()
    folder.mkdir()
    monkeypatch.chdir(folder)
    caplog.set_level(logging.DEBUG)
    with slack() as alerts, (tmp_path / "receiver.log").open("wb") as log:
        merchant = deploy(products=40, orders=40, clock_speed=1.0, variables={"DROPSHIP_ALERT_URL": alerts.url})
        address = make_url(merchant.database.libpq_url).set(password=PASSWORD)
        merchant.variables["DROPSHIP_DATABASE_URL"] = address.render_as_string(hide_password=False)
        with installed(merchant) as instance, receiving(merchant.environment, log=log.fileno()) as receiver:
            day = Day(merchant, instance, heard)
            day.type("sync", "--json")
            let_in(merchant)
            day.type("orders", "sync", "--since", "90d")
            pushes_arrive(day, receiver)
            merchant.sandbox.control("clock", {"advance_s": 86_400})
            merchant.sandbox.control("pushes", {})
            cursor = day.tick("order_status_sensor")
            orders_are_placed(day, typed)
            things_fail(day)
            day.tick("webhook_sensor")
            day.tick("order_status_sensor", cursor)
            day.type("replay")
            day.type("publish")
            day.type("report")
            for command in ("status --json", "doctor", "auth status", "webhooks status", "webhooks dead --json"):
                day.type(*command.split())
            shown = day.type("orders", "show", "PAID", "--recipient")
            day.said.remove(shown)  # it was asked for
            assert receiver.stop() == 0
            day.listen()
            day.said += [receiver.address, *alerts.texts, caplog.text]
        said = dict(enumerate(day.said))
        people, secrets = people_of(merchant), secrets_of(merchant)
        assert found_in(shown, people), "the words that are looked for are those that people have"
        places = [
            *((f"said {number}", text) for number, text in said.items()),
            *texts_of_files(merchant.home, folder, tmp_path / "receiver.log"),
            *texts_of_tables(merchant.database),
            ("Postgres's log", (postgres_home / "postgres" / "log").read_text(errors="replace")),
        ]
    leaks = {
        (place, what)
        for place, text in places
        for what in found_in(text, secrets | people)
        if not (place == "orders.recipients" and what in people)
    }
    assert leaks == set()
