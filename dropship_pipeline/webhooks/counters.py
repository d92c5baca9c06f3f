"""What the receiver counts, in the format of Prometheus. No message, address or signature is ever a label."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)


class Counters:
    """The counters of one receiver."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.accepted = Counter(
            "dropship_webhooks_accepted", "Messages acknowledged with 200: stored", registry=self._registry
        )
        self.duplicates = Counter(
            "dropship_webhooks_duplicates", "Of those, messages that were there already", registry=self._registry
        )
        self.stored = Counter("dropship_webhooks_stored", "Messages stored as new rows", registry=self._registry)
        self.refused = Counter(
            "dropship_webhooks_refused", "Requests that left nothing", ["reason"], registry=self._registry
        )
        self.unavailable = Counter(
            "dropship_webhooks_unavailable", "Messages answered with 503: not stored in time", registry=self._registry
        )
        self.seconds = Histogram(
            "dropship_webhooks_seconds",
            "From the first byte of a genuine message to its answer",
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self.can_store = Gauge("dropship_webhooks_can_store", "1: the last store went well", registry=self._registry)
        self.can_store.set(1)

    def text(self) -> bytes:
        """Everything, as Prometheus reads it."""
        return generate_latest(self._registry)
