-- Frozen once released.
CREATE TABLE ops.webhook_inbox (
    message_key text NOT NULL,
    received_at timestamptz NOT NULL,
    sent_at timestamptz,
    kind text NOT NULL,
    subject text,
    event text NOT NULL,
    body text NOT NULL,
    deliveries bigint NOT NULL,
    state text NOT NULL,
    batch text,
    handed_over_at timestamptz,
    attempts integer NOT NULL,
    not_before timestamptz,
    reason text,
    settled_at timestamptz,
    PRIMARY KEY (message_key)
);
CREATE INDEX webhook_inbox_state_kind_received_at ON ops.webhook_inbox (state, kind, received_at);
CREATE INDEX webhook_inbox_batch ON ops.webhook_inbox (batch);
COMMENT ON TABLE ops.webhook_inbox IS 'Every push message that was acknowledged, once however often it came, and what became of it.';
COMMENT ON COLUMN ops.webhook_inbox.message_key IS 'SHA-256 of the raw body, in hex';
COMMENT ON COLUMN ops.webhook_inbox.received_at IS 'When it first came (UTC); no two of one receiver are alike, so that it puts them in order';
COMMENT ON COLUMN ops.webhook_inbox.sent_at IS 'When it says that it was sent (UTC) (guide §Push timestamp)';
COMMENT ON COLUMN ops.webhook_inbox.kind IS '`product`, `order` or `unknown`, by what its data name';
COMMENT ON COLUMN ops.webhook_inbox.subject IS 'The product or the order (guide §Push data.productId, data.trade_id_str)';
COMMENT ON COLUMN ops.webhook_inbox.event IS 'What it says has happened: `ADD`, `DELETE`, `PRICE_CHANGE`, the status of an order, or its message_type (guide §Push data.option, data.status)';
COMMENT ON COLUMN ops.webhook_inbox.body IS 'As it came';
COMMENT ON COLUMN ops.webhook_inbox.deliveries IS 'How often it came';
COMMENT ON COLUMN ops.webhook_inbox.state IS '`waiting`, `handed_over` to a run, `done`, `unknown` (of a kind that nobody knows), `dead` (see reason)';
COMMENT ON COLUMN ops.webhook_inbox.batch IS 'The tag `dropship/inbox` of the run that it was handed over to';
COMMENT ON COLUMN ops.webhook_inbox.handed_over_at IS 'When (UTC)';
COMMENT ON COLUMN ops.webhook_inbox.attempts IS 'How often it was handed over';
COMMENT ON COLUMN ops.webhook_inbox.not_before IS 'After a run that failed: when it is handed over again (UTC)';
COMMENT ON COLUMN ops.webhook_inbox.reason IS 'Why it is dead, or why its last run did not do';
COMMENT ON COLUMN ops.webhook_inbox.settled_at IS 'When it was done, dead, or first seen to be of an unknown kind (UTC)';
