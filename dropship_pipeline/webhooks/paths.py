"""Where the receiver answers. Imports nothing: whoever only names an address need not load a server."""

MESSAGES = "/webhook/alibaba"
"""Where messages are posted, as in the guide's example; `/` does as well, for a proxy that leaves the path away."""

HEALTH = "/health"
METRICS = "/metrics"
