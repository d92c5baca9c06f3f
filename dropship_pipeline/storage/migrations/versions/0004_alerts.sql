-- Frozen once released.
CREATE TABLE ops.alerts (
    key text NOT NULL,
    kind text NOT NULL,
    subject text NOT NULL,
    partitions text NOT NULL,
    title text NOT NULL,
    detail text NOT NULL,
    link text NOT NULL,
    first_at timestamptz NOT NULL,
    last_at timestamptz NOT NULL,
    count bigint NOT NULL,
    returned bigint NOT NULL,
    sent_at timestamptz,
    next_at timestamptz,
    attempts bigint NOT NULL,
    resolved_at timestamptz,
    PRIMARY KEY (key)
);
COMMENT ON TABLE ops.alerts IS 'Problems that deserve a person''s attention, each once: since when, how often, and what is still to be told of it.';
COMMENT ON COLUMN ops.alerts.key IS 'Which problem: `run:<job>:<step>:<partitions>`, `check:<asset>:<name>:<partitions>`, `held:<feed>`, `account:<name>`, `tick:<schedule or sensor>`; or the news of a watched product, `watch:<product_id>`';
COMMENT ON COLUMN ops.alerts.kind IS '`run`, `check`, `held`, `account`, `tick` or `watch`';
COMMENT ON COLUMN ops.alerts.subject IS 'What has to go well again for it to be over: `step publish`, `job catalogue_sync`, `check products:keys`';
COMMENT ON COLUMN ops.alerts.partitions IS 'The partitions that it is about, as `first...last`; '''' for none';
COMMENT ON COLUMN ops.alerts.title IS 'What happened, and where';
COMMENT ON COLUMN ops.alerts.detail IS 'Why, and what to do; one line without secrets';
COMMENT ON COLUMN ops.alerts.link IS 'Where in the Dagster UI it is seen; '''' for nowhere';
COMMENT ON COLUMN ops.alerts.first_at IS 'When it began (UTC)';
COMMENT ON COLUMN ops.alerts.last_at IS 'When it was last seen (UTC)';
COMMENT ON COLUMN ops.alerts.count IS 'How often it was seen';
COMMENT ON COLUMN ops.alerts.returned IS 'How often it came back within a day after it was said to be over';
COMMENT ON COLUMN ops.alerts.sent_at IS 'When it was last told (UTC); NULL: not yet';
COMMENT ON COLUMN ops.alerts.next_at IS 'When it is to be told next (UTC); NULL: there is nothing to tell';
COMMENT ON COLUMN ops.alerts.attempts IS 'How often in a row telling it failed';
COMMENT ON COLUMN ops.alerts.resolved_at IS 'When it was over (UTC); NULL: it lasts';

CREATE TABLE ops.watched_offers (
    product_id text NOT NULL,
    sku_id text NOT NULL,
    price numeric(18,4),
    currency text,
    is_low boolean,
    priced_at timestamptz,
    PRIMARY KEY (product_id, sku_id)
);
COMMENT ON TABLE ops.watched_offers IS 'What people were last told, or found when they began to watch, of each variant of a watched product on offer: they are told again when the tables differ from it. No row: of this nothing is known yet, and its first reading is no news.';
COMMENT ON COLUMN ops.watched_offers.product_id IS 'The watched product';
COMMENT ON COLUMN ops.watched_offers.sku_id IS 'The variant; '''' for the product itself';
COMMENT ON COLUMN ops.watched_offers.price IS 'Its unit price in the first tier, or that of the ready-to-ship trade';
COMMENT ON COLUMN ops.watched_offers.currency IS 'ISO 4217 code of the price';
COMMENT ON COLUMN ops.watched_offers.is_low IS 'Whether its stock fell below the minimum of ops.hold_rules, until there is twice that; NULL: not known';
COMMENT ON COLUMN ops.watched_offers.priced_at IS 'Since when that price is the one that people know (UTC)';
