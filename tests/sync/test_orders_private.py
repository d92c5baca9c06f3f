"""People's names, streets and telephone numbers are in `orders.recipients` and nowhere else."""

import json
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from deployment import Deployment
from order_steps import Noting, at_desk, follow_until_quiet, time_passes
from order_truth import true_orders

from dropship_pipeline.storage.orders.sheets import read_order_sheet, read_recipient
from dropship_pipeline.sync.orders.following import OrdersRequest, reconcile_days, refresh_orders, sync_orders
from dropship_pipeline.sync.stages.publish import publish
from dropship_pipeline.tables.registry import ALL_TABLES


def personal(orders: dict[str, dict[str, Any]]) -> set[str]:
    """Every name, street and telephone number that the API tells."""
    found = set()
    for order in orders.values():
        to = order["recipient"]
        found |= {to["contact_person"], to["address"], to["mobile"]["number"]}
    return found


def leaks(text: str, words: set[str]) -> list[str]:
    return [word for word in words if word in text]


def files(home: Path) -> Iterator[tuple[Path, str]]:
    """Every file below, as text; of Parquet what is in it."""
    for path in home.rglob("*"):
        if path.is_file():
            parquet = path.suffix == ".parquet"
            yield path, str(pq.read_table(path).to_pylist()) if parquet else path.read_text(errors="replace")


def test_a_day_of_orders_leaves_people_in_the_recipients_alone(
    deploy: Callable[..., Deployment], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    merchant = deploy(products=60, orders=60)
    progress = Noting()
    people = personal(true_orders(merchant))
    assert len(people) > 100
    with at_desk(merchant, progress) as desk:
        outcome = sync_orders(desk, OrdersRequest())
        merchant.sandbox.control("faults", {"fault": "order_status:0.3"})
        merchant.sandbox.control("faults", {"fault": "truncated_json:path=/alibaba/order/get:first=2"})
        time_passes(merchant, 86_400)
        _, followed = follow_until_quiet(desk, None)
        merchant.sandbox.control("faults", method="DELETE")
        merchant.sandbox.control("faults", {"fault": "refuse:code=404:shape=business:path=/alibaba/order/get:first=3"})
        days = sorted({row["d"] for row in merchant.rows("SELECT created_at::date AS d FROM orders.orders")})
        outcome += followed + refresh_orders(desk, list(true_orders(merchant))) + reconcile_days(desk, days)
        publish(desk)
    assert outcome.refused == 3
    told = [
        json.dumps(outcome.as_json(), default=str),
        repr(outcome),
        *progress.notes,
        caplog.text,
        *capfd.readouterr(),
    ]
    assert leaks("\n".join(told), people) == []
    for path, text in files(merchant.home):
        assert leaks(text, people) == [], path
    assert (merchant.home / "lake" / "latest" / "orders" / "orders.parquet").is_file()
    assert not (merchant.home / "lake" / "latest" / "orders" / "recipients.parquet").exists()
    for table in ALL_TABLES:
        text = str(merchant.rows(f"SELECT t::text FROM {table.full_name} t"))
        assert bool(leaks(text, people)) == (table.full_name == "orders.recipients"), table.full_name


def test_a_person_is_shown_when_asked_for_and_by_no_repr(deploy: Callable[..., Deployment]) -> None:
    merchant = deploy(products=60, orders=5)
    trade_id, order = next(iter(true_orders(merchant).items()))
    with at_desk(merchant) as desk:
        refresh_orders(desk, [trade_id])
    people = personal({trade_id: order})
    sheet, to = read_order_sheet(merchant.database, trade_id), read_recipient(merchant.database, trade_id)
    assert leaks(repr(sheet), people) == leaks(repr(to), people) == []
    assert to is not None
    assert to.contact_person == order["recipient"]["contact_person"]
    assert read_recipient(merchant.database, "1") is None
