"""The table of faults: every row that trials are made of, by name. A new row is entered in the module of its kind."""

from collections.abc import Mapping

import rows_of_any
import rows_of_api
import rows_of_listing
import rows_of_orders
import rows_of_payload
import rows_of_process
import rows_of_pushes
import rows_of_stores
from trials import Row

ROWS: Mapping[str, Row] = {
    row.name: row
    for module in (
        rows_of_process, rows_of_api, rows_of_payload, rows_of_listing, rows_of_stores, rows_of_pushes, rows_of_orders,
        rows_of_any,
    )
    for row in module.ROWS
}  # fmt: skip
