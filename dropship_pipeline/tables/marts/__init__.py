"""The views of schema `marts`: answers to what merchants and analysts ask of the tables. Their queries are in `sql/`.

A view is as true as the tables at the moment it is read. Ask for one product by `product_id`: each mart then reads the
rows of that product alone. Those that look back do so from now, in days of 24 hours.
"""
