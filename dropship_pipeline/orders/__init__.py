"""The rules of orders: how they move on, what a reading makes of them, how the list is read. Pure: no I/O."""
