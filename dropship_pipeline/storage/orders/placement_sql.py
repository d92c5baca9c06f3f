"""The statements of `placements`: each a step of a placement from one state to the next, or a question about some."""

from sqlalchemy import text

COLUMNS = """channel_refer_id, account, state, trade_id, quote, fingerprint, likeness, sends, sent_at,
    orders_before, pay_state, pay_url, reason, created_at, updated_at"""

FIND = text(f"SELECT {COLUMNS} FROM orders.placements WHERE channel_refer_id = :reference")  # noqa: S608  ours
FIND_ORDER = text(f"SELECT {COLUMNS} FROM orders.placements WHERE trade_id = :trade_id")  # noqa: S608  ours

ASKED = text("SELECT request, recipient FROM orders.placements WHERE channel_refer_id = :reference")

# Another order under the same reference, or the same one again: only where none exists.
PLAN = text("""
    INSERT INTO orders.placements AS p (channel_refer_id, account, state, request, recipient, fingerprint, likeness,
        sends, created_at, updated_at)
    VALUES (:reference, :account, :planned, CAST(:request AS jsonb), :recipient, :fingerprint, :likeness, 0,
        clock_timestamp(), clock_timestamp())
    ON CONFLICT (channel_refer_id) DO UPDATE SET
        state = excluded.state, request = excluded.request, recipient = excluded.recipient, account = excluded.account,
        quote = CASE WHEN p.fingerprint = excluded.fingerprint AND p.state = :planned THEN p.quote END,
        sent_at = CASE WHEN p.fingerprint = excluded.fingerprint AND p.state = :planned THEN p.sent_at END,
        orders_before = CASE WHEN p.fingerprint = excluded.fingerprint AND p.state = :planned THEN p.orders_before END,
        fingerprint = excluded.fingerprint, likeness = excluded.likeness, reason = NULL,
        updated_at = excluded.updated_at
    WHERE p.state = ANY (:replaceable)
""")

QUOTED = text("""
    UPDATE orders.placements SET quote = CAST(:quote AS jsonb), updated_at = clock_timestamp()
    WHERE channel_refer_id = :reference AND state = :planned AND fingerprint = :fingerprint
""")

SENDING = text("""
    UPDATE orders.placements
    SET state = :sending, sends = sends + 1, sent_at = coalesce(sent_at, :sent_at),
        orders_before = coalesce(orders_before, CAST(:orders_before AS text[])), reason = NULL,
        updated_at = clock_timestamp()
    WHERE channel_refer_id = :reference AND state = :planned AND fingerprint = :fingerprint
""")

MOVE = text("""
    UPDATE orders.placements
    SET state = :state, reason = :reason, recipient = CASE WHEN :state <> 'cancelled' THEN recipient END,
        updated_at = CASE state WHEN :state THEN updated_at ELSE clock_timestamp() END
    WHERE channel_refer_id = :reference AND state = ANY (:before) AND sends = :sends
""")

NEVER_SENT = text("""
    UPDATE orders.placements
    SET state = :planned, sent_at = NULL, orders_before = NULL, reason = :reason, updated_at = clock_timestamp()
    WHERE channel_refer_id = :reference AND state = ANY (:unsettled) AND sends = :sends
""")

# Which order is whose is decided by one at a time.
TAKE_TURN = text("LOCK TABLE orders.placements IN SHARE ROW EXCLUSIVE MODE")

OWNER = text("""
    SELECT channel_refer_id FROM orders.placements WHERE trade_id = :trade_id AND channel_refer_id <> :reference
""")

PLACED = text("""
    UPDATE orders.placements
    SET state = :placed, trade_id = :trade_id, pay_url = coalesce(:pay_url, pay_url), recipient = NULL,
        reason = :reason, updated_at = clock_timestamp()
    WHERE channel_refer_id = :reference AND state = ANY (:unsettled) AND sends = :sends
""")

PAY = text("""
    UPDATE orders.placements
    SET pay_state = :pay_state, pay_url = coalesce(:pay_url, pay_url), reason = :reason, updated_at = clock_timestamp()
    WHERE channel_refer_id = :reference AND state = :placed AND pay_state IS NOT DISTINCT FROM :before
""")

CLAIMED = text("SELECT trade_id FROM orders.placements WHERE trade_id = ANY (:trade_ids)")

RIVALS = text("""
    SELECT channel_refer_id FROM orders.placements
    WHERE likeness = :likeness AND channel_refer_id <> :reference AND state = ANY (:unsettled)
    ORDER BY channel_refer_id
""")

SINCE = text("SELECT since FROM ops.origin")

# What pushes and lists told of, whatever the list shows just now.
KNOWN = text("""
    SELECT trade_id FROM ops.order_fetches WHERE account = :account AND listed_created_at >= :since
    UNION SELECT trade_id FROM orders.orders WHERE account = :account AND created_at >= :since
""")
