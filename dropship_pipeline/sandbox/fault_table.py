"""Every fault by name: the table that the command line, the help and the control API read."""

from collections.abc import Mapping

from dropship_pipeline.sandbox.fault_listings import LISTING_FAULTS
from dropship_pipeline.sandbox.fault_orders import ORDER_FAULTS
from dropship_pipeline.sandbox.fault_payloads import PAYLOAD_FAULTS
from dropship_pipeline.sandbox.fault_transport import TRANSPORT_FAULTS
from dropship_pipeline.sandbox.faults import FaultKind

FAULT_KINDS: Mapping[str, FaultKind] = {**TRANSPORT_FAULTS, **LISTING_FAULTS, **PAYLOAD_FAULTS, **ORDER_FAULTS}
