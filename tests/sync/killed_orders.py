"""Reading orders in a process of its own, to be killed: reads its settings from the environment."""

import uuid
from datetime import timedelta

from dropship_pipeline.settings import load_settings
from dropship_pipeline.sync.orders.following import OrdersRequest, sync_orders
from dropship_pipeline.sync.progress import Silent
from dropship_pipeline.sync.session import open_desk

if __name__ == "__main__":
    with open_desk(load_settings(), str(uuid.uuid4()), Silent()) as desk:
        print("open", flush=True)
        sync_orders(desk, OrdersRequest(since=timedelta(days=120)))
