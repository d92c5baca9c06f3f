"""What may stand in tables that are not the project's friend: a text that wants to be obeyed, wherever one may come."""

HOSTILE = """<script>alert("x")</script><img src=x onerror='alert(1)'>&amp;$\\frac$ {{ 7 * 7 }} \u202eelosrever 中文"""
HARM = (
    "UPDATE catalog.products SET title = :text, supplier = :text",
    "UPDATE catalog.inventory_levels SET shipping_from = :text WHERE shipping_from = 'TR'",
    "UPDATE catalog.freight_quotes SET dispatch_country = :text WHERE product_id = 'P01'",
    "UPDATE catalog.freight_quotes SET destination_country = :text WHERE product_id = 'P01'",
    "UPDATE ops.hold_rules SET rule = :text",
    "UPDATE orders.orders SET status = :text",
    "UPDATE catalog.price_tiers SET currency = :text WHERE product_id = 'P01'",
    "UPDATE catalog.price_changes SET currency = :text",
    "UPDATE catalog.price_tiers SET price = -1 WHERE sku_id = 'S011'",
    "INSERT INTO ops.origin VALUES (true, 'simulated', now())",
)
