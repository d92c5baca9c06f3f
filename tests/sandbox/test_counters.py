"""The counters themselves: bounded whatever is asked."""

from dropship_pipeline.sandbox import counters
from dropship_pipeline.sandbox.counters import Counters


def test_what_is_remembered_is_bounded_and_says_so(monkeypatch):
    monkeypatch.setattr(counters, "_KEYS_KEPT", 3)
    kept = Counters()
    for number in range(5):
        kept.count("GET", "/alibaba/order/get", {"e_trade_id": str(number)}, "ok", 200, 0)
    kept.count("GET", "/alibaba/order/get", {"e_trade_id": "0"}, "ok", 200, 0)
    assert kept.by_key("/alibaba/order/get") == ({"0": 2, "1": 1, "2": 1}, False)
    assert kept.outcomes["/alibaba/order/get"]["ok"] == 6


def test_only_the_latest_calls_are_remembered():
    kept = Counters()
    for _ in range(25_000):
        kept.count("GET", "/alibaba/order/get", {"e_trade_id": "1"}, "ok", 200, 0)
    remembered = kept.since(0)
    assert len(remembered) == 20_000
    assert remembered[-1].sequence == 25_000
