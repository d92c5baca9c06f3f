"""The faults of orders do what their lines in the table say, to the calls that they are meant for."""

import pytest
from moment import THEN_MS
from signed_client import Client

from dropship_pipeline.sandbox.launch import SandboxConfig, start

EVERY = {"role": "buyer", "page_size": "100"}


@pytest.fixture(scope="module")
def shop():
    with start(SandboxConfig(products=60, drift=0, orders=90, clock_speed=0.0, clock_start_ms=THEN_MS)) as running:
        yield running


@pytest.fixture
def with_fault(shop):
    """Switches a fault on and gives a client; everything is switched off afterwards."""

    def switch_on(text):
        shop.control("faults", {"fault": text})
        return Client(shop)

    yield switch_on
    shop.control("faults", method="DELETE")


def listed(client):
    value = client.call("/alibaba/order/list", EVERY)["value"]
    return [order["trade_id"] for order in value["order_list"]], int(value["total_count"])


@pytest.mark.parametrize("kept", [True, False])
def test_a_list_lacks_the_same_third_of_its_orders_each_time(with_fault, shop, kept):
    everything, total = listed(Client(shop))
    client = with_fault(f"orders_missing{':total=kept' if kept else ''}")
    shown, told = listed(client)
    assert shown == listed(client)[0]
    assert set(shown) < set(everything)
    assert 20 < len(everything) - len(shown) < 40
    assert told == (total if kept else len(shown))


def test_orders_tell_a_status_that_they_do_not_have(with_fault, shop):
    trade_id = listed(Client(shop))[0][0]
    client = with_fault("order_status:status=intention_processing")
    details = client.call("/alibaba/order/get", {"e_trade_id": trade_id})["value"]
    assert details["trade_status"] == "intention_processing"
    assert client.call("/alibaba/order/list", EVERY)["value"]["order_list"][0]["trade_status"] != "intention_processing"


def test_an_answer_holds_a_word_where_the_order_is_due(with_fault, shop):
    trade_id = listed(Client(shop))[0][0]
    client = with_fault("order_garbled")
    assert client.call("/alibaba/order/get", {"e_trade_id": trade_id})["value"] == "?"


def test_an_order_shows_some_time_after_it_was_created(with_fault, shop):
    newest = listed(Client(shop))[0][0]
    client = with_fault("orders_late:seconds=100000000")
    assert (newest in listed(client)[0], listed(client)[1]) == (False, len(listed(client)[0]))
    shop.control("faults", method="DELETE")
    assert listed(with_fault("orders_late:seconds=0"))[0][0] == newest


def test_a_dropped_call_is_not_carried_out_and_a_reset_one_is(with_fault, shop):
    for make_faulty, status in (
        (lambda: with_fault("dropped:path=/alibaba/order/cancel"), "unpay"),
        (lambda: with_fault("reset:path=/alibaba/order/cancel"), "trade_close"),
    ):
        trade_id = next(
            order["trade_id"]
            for order in Client(shop).call("/alibaba/order/list", {**EVERY, "status": "unpay"})["value"]["order_list"]
        )
        with pytest.raises(ConnectionError):
            make_faulty().call("/alibaba/order/cancel", {"trade_id": trade_id})
        shop.control("faults", method="DELETE")
        details = Client(shop).call("/alibaba/order/get", {"e_trade_id": trade_id})["value"]
        assert details["trade_status"] == status
