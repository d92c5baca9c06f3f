"""What the sandbox pushes: each change of an order and of a product, signed, as often as it takes."""

import hashlib
import hmac
import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

HOUR, DAY = 3_600, 86_400


class Listener:
    """Somebody who is pushed to: keeps what comes, and answers as it is told."""

    def __init__(self):
        self.bodies, self.forged, self.status = [], 0, 200
        listener = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                signed = hmac.new(b"helloworld", b"12345678" + body, hashlib.sha256).hexdigest()
                listener.forged += self.headers["Authorization"] != signed
                listener.bodies.append(body)
                self.send_response(listener.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            request_queue_size = 64  # many come at once

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhook/alibaba"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def messages(self):
        return [json.loads(body) for body in self.bodies]

    def orders(self):
        """(trade ID, status) of each order message, in the order in which they came."""
        return [
            (message["data"]["trade_id_str"], message["data"]["status"])
            for message in self.messages
            if message["message_type"] == 3
        ]


@pytest.fixture
def listener():
    listening = Listener()
    yield listening
    listening.server.shutdown()
    listening.server.server_close()


def delivered(running, seconds=20):
    """The counts, when nothing waits any more."""
    give_up = time.monotonic() + seconds
    running.control("pushes", {})  # what has happened is found now, not within the second
    while (told := running.control("pushes"))["waiting"]:
        assert time.monotonic() < give_up, told
        time.sleep(0.02)
    return told


def happened(running, since_ms):
    """(trade ID, status) of what has happened since to the orders of the buyer who is logged in."""
    buyer = running.control("accounts")["buyers"][0]["user_id"]
    changes = running.control(f"truth/order_changes?since_ms={since_ms}")["changes"]
    return [(change["trade_id"], change["new_status"]) for change in changes if change["buyer_id"] == buyer]


def test_every_change_of_an_order_is_pushed_once_signed_and_as_the_guide_writes_it(own, listener):
    running, _ = own(orders=400, clock_speed=0.0, push_url=listener.url)
    since = running.control("clock")["now_ms"]
    told = []
    for _ in range(3):
        running.control("clock", {"advance_s": DAY})
        told.append(delivered(running))
    assert sorted(listener.orders()) == sorted(happened(running, since))
    assert len(listener.orders()) > 20
    assert listener.forged == 0
    assert told[-1]["found"] == told[-1]["acknowledged"] == len(listener.bodies)
    message = next(message for message in listener.messages if message["message_type"] == 3)
    assert set(message) == {"havana_id", "seller_id", "message_type", "data", "timestamp", "site"}
    assert set(message["data"]) == {
        "status", "trade_id_str", "order_status", "trade_order_id", "status_update_time"
    }  # fmt: skip
    assert abs(message["timestamp"] - time.time()) < 60


def test_what_is_done_through_the_api_is_pushed_too(own, listener):
    running, _ = own(orders=200, clock_speed=0.0, push_url=listener.url)
    trade_id = next(
        order["trade_id"]
        for order in running.control("truth/orders")["orders"]
        if order["status"] == "unpay" and order["buyer_id"] == running.control("accounts")["buyers"][0]["user_id"]
    )
    running.control("accounts/pay_by_hand", {"trade_id": trade_id})
    delivered(running)
    assert (trade_id, "paid") in listener.orders()


def test_products_that_come_go_and_change_their_price_are_pushed(own, listener):
    running, _ = own(products=300, drift=1, clock_speed=0.0, push_url=listener.url)

    def online():
        keys = running.control("truth/feeds")
        return {product for key in keys for product in running.control(f"truth/feed?key={key}")["product_ids"]}

    running.control("clock", {"advance_s": 1})  # still the hour in which it began
    delivered(running)
    before = online()
    running.control("clock", {"advance_s": 20 * DAY})
    delivered(running)
    after = online()
    pushed = [message["data"] for message in listener.messages]
    by_option = {
        option: {data["productId"] for data in pushed if data["option"] == option}
        for option in ("ADD", "DELETE", "PRICE_CHANGE")
    }
    assert by_option["ADD"] == after - before
    assert by_option["DELETE"] == before - after
    assert by_option["PRICE_CHANGE"]
    changed = next(data for data in pushed if data["option"] == "PRICE_CHANGE")
    assert set(changed) == {"productId", "skuId", "option", "value", "timestamp"}
    truth = running.control(f"truth/product?id={changed['productId']}")["description"]
    assert changed["skuId"] in json.dumps(truth)


def test_some_get_lost_some_come_twice_and_some_come_late_and_it_says_how_many(own, listener):
    running, _ = own(
        orders=300, clock_speed=0.0, push_url=listener.url, push_drop=0.2, push_duplicate=0.3, push_reorder=0.3
    )
    since = running.control("clock")["now_ms"]
    running.control("clock", {"advance_s": 4 * DAY})
    told = delivered(running)
    came, all_of_them = Counter(listener.orders()), set(happened(running, since))
    assert came.keys() < all_of_them
    assert told["found"] == len(all_of_them)
    assert told["dropped"] == len(all_of_them) - len(came)
    assert told["duplicated"] == sum(times - 1 for times in came.values())
    in_order = [told for told in happened(running, since) if told in came]
    assert list(dict.fromkeys(listener.orders())) != in_order


def test_what_is_not_acknowledged_comes_again_and_in_the_end_is_given_up(own, listener):
    running, _ = own(orders=400, clock_speed=0.0, push_url=listener.url, push_retry_s=0.0005)
    listener.status = 503
    running.control("clock", {"advance_s": HOUR * 12})
    running.control("pushes", {})
    give_up = time.monotonic() + 60
    while not listener.bodies and time.monotonic() < give_up:
        time.sleep(0.001)
    listener.status = 200
    told = delivered(running)
    assert told["failed"] > 0
    assert told["abandoned"] == 0
    assert told["acknowledged"] == told["found"]

    listener.status = 500
    running.control("clock", {"advance_s": HOUR * 12})
    told = delivered(running, 60)
    again = Counter(listener.bodies[-1:])
    assert told["abandoned"] > 0
    assert listener.bodies.count(next(iter(again))) == 13  # once, and twelve times more


def test_nobody_is_pushed_to_until_an_address_is_named_and_a_wrong_one_is_refused(own, listener):
    running, _ = own(orders=400, clock_speed=0.0)
    running.control("clock", {"advance_s": DAY})
    assert running.control("pushes")["found"] == 0
    running.control("pushes", {"url": listener.url})
    assert delivered(running)["found"] == 0  # what was so before is nothing to tell
    running.control("clock", {"advance_s": DAY})
    assert delivered(running)["acknowledged"] == len(listener.bodies) > 0
    with pytest.raises(OSError, match="400"):
        running.control("pushes", {"url": "ftp://x"})
    with pytest.raises(OSError, match="400"):
        running.control("pushes", {"drop": 2})
