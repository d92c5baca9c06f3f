-- The tables of the catalogue, and the project's own book-keeping.

CREATE SCHEMA IF NOT EXISTS catalog;
COMMENT ON SCHEMA catalog IS 'What is listed, what it costs, what is in stock, what it costs to ship';

CREATE SCHEMA IF NOT EXISTS ops;
COMMENT ON SCHEMA ops IS 'The project''s own book-keeping';

CREATE TABLE catalog.feed_products (
    feed text NOT NULL,
    product_id text NOT NULL,
    position bigint,
    first_listed_at timestamptz NOT NULL,
    last_listed_at timestamptz NOT NULL,
    delisted_at timestamptz,
    PRIMARY KEY (feed, product_id)
);
CREATE INDEX feed_products_product_id_feed ON catalog.feed_products (product_id, feed) INCLUDE (delisted_at);
COMMENT ON TABLE catalog.feed_products IS 'Which product is listed in which feed, now and before. A row is never removed: `delisted_at` ends it.';
COMMENT ON COLUMN catalog.feed_products.feed IS 'The feed''s key (guide §3 scene_id, §3a, §3b, §3c)';
COMMENT ON COLUMN catalog.feed_products.product_id IS 'The Alibaba.com product ID (guide §4 product_id)';
COMMENT ON COLUMN catalog.feed_products.position IS 'Place in the feed at its last change, from 0: popularity in a top-seller feed';
COMMENT ON COLUMN catalog.feed_products.first_listed_at IS 'When the feed was first seen to list the product (UTC)';
COMMENT ON COLUMN catalog.feed_products.last_listed_at IS 'When the feed last began to list it (UTC): later than first_listed_at if it went and came back';
COMMENT ON COLUMN catalog.feed_products.delisted_at IS 'When the membership ended: two complete sweeps in a row missed it. NULL: listed now';

CREATE TABLE catalog.products (
    product_id text NOT NULL,
    title text,
    status text,
    category_id text,
    category text,
    supplier text,
    e_company_id text,
    currency text,
    min_order_quantity bigint,
    wholesale_min_order_quantity bigint,
    wholesale_price numeric(18,4),
    unit_type text,
    handling_time_days integer,
    mode_id text,
    detail_url text,
    main_image_url text,
    first_seen_at timestamptz NOT NULL,
    described_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL,
    delisted_at timestamptz,
    PRIMARY KEY (product_id)
);
COMMENT ON TABLE catalog.products IS 'One row a product that was ever described.';
COMMENT ON COLUMN catalog.products.product_id IS 'The Alibaba.com product ID (guide §4 product_id)';
COMMENT ON COLUMN catalog.products.title IS 'Title (guide §4 title)';
COMMENT ON COLUMN catalog.products.status IS 'PRODUCT_ONLINE, PRODUCT_OFFLINE or PRODUCT_DELETE, as answered (guide §4 status)';
COMMENT ON COLUMN catalog.products.category_id IS 'Category ID (guide §4 category_id)';
COMMENT ON COLUMN catalog.products.category IS 'Category name (guide §4 category)';
COMMENT ON COLUMN catalog.products.supplier IS 'Supplier''s company name (guide §4 supplier)';
COMMENT ON COLUMN catalog.products.e_company_id IS 'Supplier ID, as the advanced freight takes it (guide §4 eCompanyId)';
COMMENT ON COLUMN catalog.products.currency IS 'ISO 4217 code of the amounts beside it';
COMMENT ON COLUMN catalog.products.min_order_quantity IS 'Minimum order quantity [units] (guide §4 min_order_quantity)';
COMMENT ON COLUMN catalog.products.wholesale_min_order_quantity IS 'Minimum order quantity of the ready-to-ship trade [units] (guide §4 wholesale_trade.min_order_quantity)';
COMMENT ON COLUMN catalog.products.wholesale_price IS 'Unit price of the ready-to-ship trade, in `currency` (guide §4 wholesale_trade.price)';
COMMENT ON COLUMN catalog.products.unit_type IS 'What one unit is (guide §4 wholesale_trade.unit_type)';
COMMENT ON COLUMN catalog.products.handling_time_days IS 'Days until it ships [days] (guide §4 wholesale_trade.handling_time)';
COMMENT ON COLUMN catalog.products.mode_id IS 'Model number (guide §4 mode_id)';
COMMENT ON COLUMN catalog.products.detail_url IS 'The product''s page (guide §4 detail_url)';
COMMENT ON COLUMN catalog.products.main_image_url IS 'The first picture (guide §4 main_image)';
COMMENT ON COLUMN catalog.products.first_seen_at IS 'When it was first described here (UTC)';
COMMENT ON COLUMN catalog.products.described_at IS 'When its description was last read (UTC)';
COMMENT ON COLUMN catalog.products.changed_at IS 'When anything in this row or its children last differed (UTC)';
COMMENT ON COLUMN catalog.products.delisted_at IS 'When no feed had it any more, or its own payload said offline or deleted (UTC). NULL: on offer';

CREATE TABLE catalog.product_descriptions (
    product_id text NOT NULL,
    html text,
    PRIMARY KEY (product_id)
);
COMMENT ON TABLE catalog.product_descriptions IS 'The description''s HTML, apart because it is long. Foreign text: escape or sandbox it before it is shown.';
COMMENT ON COLUMN catalog.product_descriptions.product_id IS 'The Alibaba.com product ID (guide §4 product_id)';
COMMENT ON COLUMN catalog.product_descriptions.html IS 'HTML as the supplier wrote it (guide §4 description)';

CREATE TABLE catalog.product_images (
    product_id text NOT NULL,
    position integer NOT NULL,
    url text NOT NULL,
    PRIMARY KEY (product_id, position)
);
COMMENT ON TABLE catalog.product_images IS 'Pictures of a product, in order.';
COMMENT ON COLUMN catalog.product_images.product_id IS 'The Alibaba.com product ID (guide §4 product_id)';
COMMENT ON COLUMN catalog.product_images.position IS 'Order, from 0';
COMMENT ON COLUMN catalog.product_images.url IS 'Address of the picture (guide §4 images[])';

CREATE TABLE catalog.delivery_periods (
    product_id text NOT NULL,
    quantity bigint NOT NULL,
    process_days integer,
    PRIMARY KEY (product_id, quantity)
);
COMMENT ON TABLE catalog.delivery_periods IS 'How long the supplier needs before shipping, by quantity.';
COMMENT ON COLUMN catalog.delivery_periods.product_id IS 'The Alibaba.com product ID (guide §4 product_id)';
COMMENT ON COLUMN catalog.delivery_periods.quantity IS 'Up to so many units [units] (guide §4 deliver_periods[].quantity)';
COMMENT ON COLUMN catalog.delivery_periods.process_days IS 'Days needed [days] (guide §4 deliver_periods[].process_period)';

CREATE TABLE catalog.skus (
    sku_id text NOT NULL,
    product_id text NOT NULL,
    seller_sku_id text,
    status text,
    unit text,
    image_url text,
    PRIMARY KEY (sku_id)
);
CREATE INDEX skus_product_id_sku_id ON catalog.skus (product_id, sku_id) INCLUDE (seller_sku_id, status);
COMMENT ON TABLE catalog.skus IS 'One row a variant that can be ordered.';
COMMENT ON COLUMN catalog.skus.sku_id IS 'The variant, as orders name it (guide §4 skus[].sku_id)';
COMMENT ON COLUMN catalog.skus.product_id IS 'The product that the SKU belongs to (guide §4 product_id)';
COMMENT ON COLUMN catalog.skus.seller_sku_id IS 'The seller''s own ID of it (guide §4 skus[].seller_sku_id)';
COMMENT ON COLUMN catalog.skus.status IS 'As answered (guide §4 skus[].status)';
COMMENT ON COLUMN catalog.skus.unit IS 'What one unit is (guide §4 skus[].unit)';
COMMENT ON COLUMN catalog.skus.image_url IS 'Picture of the variant (guide §4 skus[].image)';

CREATE TABLE catalog.sku_attributes (
    sku_id text NOT NULL,
    position integer NOT NULL,
    product_id text NOT NULL,
    attr_name_id text,
    attr_value_id text,
    name text,
    value text,
    value_image_url text,
    PRIMARY KEY (sku_id, position)
);
CREATE INDEX sku_attributes_product_id ON catalog.sku_attributes (product_id);
COMMENT ON TABLE catalog.sku_attributes IS 'What tells a variant from its sisters: colour, size, plug.';
COMMENT ON COLUMN catalog.sku_attributes.sku_id IS 'The variant, as orders name it (guide §4 skus[].sku_id)';
COMMENT ON COLUMN catalog.sku_attributes.position IS 'Order, from 0';
COMMENT ON COLUMN catalog.sku_attributes.product_id IS 'The product that the SKU belongs to (guide §4 product_id)';
COMMENT ON COLUMN catalog.sku_attributes.attr_name_id IS 'ID of the attribute (guide §4 sku_attr_list[].attr_name_id)';
COMMENT ON COLUMN catalog.sku_attributes.attr_value_id IS 'ID of the value (guide §4 sku_attr_list[].attr_value_id)';
COMMENT ON COLUMN catalog.sku_attributes.name IS 'The attribute (guide §4 sku_attr_list[].attr_name_desc)';
COMMENT ON COLUMN catalog.sku_attributes.value IS 'Its value (guide §4 sku_attr_list[].attr_value_desc)';
COMMENT ON COLUMN catalog.sku_attributes.value_image_url IS 'Picture of the value (guide §4 sku_attr_list[].attr_value_image)';

CREATE TABLE catalog.price_tiers (
    sku_id text NOT NULL,
    min_quantity bigint NOT NULL,
    product_id text NOT NULL,
    max_quantity bigint,
    price numeric(18,4),
    currency text,
    PRIMARY KEY (sku_id, min_quantity)
);
CREATE INDEX price_tiers_product_id_sku_id_min_quantity ON catalog.price_tiers (product_id, sku_id, min_quantity) INCLUDE (max_quantity, price, currency);
COMMENT ON TABLE catalog.price_tiers IS 'The price of a variant by quantity ordered.';
COMMENT ON COLUMN catalog.price_tiers.sku_id IS 'The variant, as orders name it (guide §4 skus[].sku_id)';
COMMENT ON COLUMN catalog.price_tiers.min_quantity IS 'From so many units [units] (guide §4 ladder_price[].min_quantity)';
COMMENT ON COLUMN catalog.price_tiers.product_id IS 'The product that the SKU belongs to (guide §4 product_id)';
COMMENT ON COLUMN catalog.price_tiers.max_quantity IS 'Up to so many units; NULL: no upper bound [units] (guide §4 ladder_price[].max_quantity)';
COMMENT ON COLUMN catalog.price_tiers.price IS 'Unit price in `currency` (guide §4 ladder_price[].price)';
COMMENT ON COLUMN catalog.price_tiers.currency IS 'ISO 4217 code of the amounts beside it';

CREATE TABLE catalog.inventory_levels (
    sku_id text NOT NULL,
    shipping_from text NOT NULL,
    product_id text NOT NULL,
    quantity bigint,
    unit text,
    checked_at timestamptz NOT NULL,
    PRIMARY KEY (sku_id, shipping_from)
);
CREATE INDEX inventory_levels_product_id_sku_id ON catalog.inventory_levels (product_id, sku_id) INCLUDE (shipping_from, quantity);
COMMENT ON TABLE catalog.inventory_levels IS 'Stock of a variant by the country it ships from. Only the inventory endpoint counts as stock.';
COMMENT ON COLUMN catalog.inventory_levels.sku_id IS 'The variant, as orders name it (guide §4 skus[].sku_id)';
COMMENT ON COLUMN catalog.inventory_levels.shipping_from IS 'ISO country code of the warehouse (guide §5 shipping_from)';
COMMENT ON COLUMN catalog.inventory_levels.product_id IS 'The product that the SKU belongs to (guide §4 product_id)';
COMMENT ON COLUMN catalog.inventory_levels.quantity IS 'Units in stock; 0: none [units] (guide §5 inventory_list[].inventory_count)';
COMMENT ON COLUMN catalog.inventory_levels.unit IS 'What one unit is (guide §5 inventory_list[].inventory_unit)';
COMMENT ON COLUMN catalog.inventory_levels.checked_at IS 'When it was last read (UTC)';

CREATE TABLE catalog.freight_quotes (
    product_id text NOT NULL,
    destination_country text NOT NULL,
    quantity bigint NOT NULL,
    vendor_code text NOT NULL,
    vendor_name text,
    shipping_type text,
    trade_term text,
    solution_biz_type text,
    dispatch_country text,
    requested_dispatch text NOT NULL,
    delivery_days_min integer,
    delivery_days_max integer,
    fee numeric(18,4),
    currency text,
    quoted_at timestamptz NOT NULL,
    PRIMARY KEY (product_id, destination_country, quantity, vendor_code)
);
COMMENT ON TABLE catalog.freight_quotes IS 'What it costs to ship a product, by destination and carrier. Estimates: an order takes its carrier from the advanced freight.';
COMMENT ON COLUMN catalog.freight_quotes.product_id IS 'The Alibaba.com product ID (guide §4 product_id)';
COMMENT ON COLUMN catalog.freight_quotes.destination_country IS 'ISO country code (guide §6 destination_country)';
COMMENT ON COLUMN catalog.freight_quotes.quantity IS 'Units that the quote is for: the fewest that can be ordered [units]';
COMMENT ON COLUMN catalog.freight_quotes.vendor_code IS 'The carrier''s code (guide §6 vendor_code)';
COMMENT ON COLUMN catalog.freight_quotes.vendor_name IS 'The carrier''s name (guide §6 vendor_name)';
COMMENT ON COLUMN catalog.freight_quotes.shipping_type IS 'EXPRESS, … (guide §6 shipping_type)';
COMMENT ON COLUMN catalog.freight_quotes.trade_term IS 'Incoterm (guide §6 trade_term)';
COMMENT ON COLUMN catalog.freight_quotes.solution_biz_type IS 'As answered (guide §6 solution_biz_type)';
COMMENT ON COLUMN catalog.freight_quotes.dispatch_country IS 'Where the carrier takes it from, as answered (guide §6 dispatch_country)';
COMMENT ON COLUMN catalog.freight_quotes.requested_dispatch IS 'The dispatch location asked for when this was answered';
COMMENT ON COLUMN catalog.freight_quotes.delivery_days_min IS 'Fastest delivery [days] (guide §6 delivery_time)';
COMMENT ON COLUMN catalog.freight_quotes.delivery_days_max IS 'Slowest delivery [days] (guide §6 delivery_time)';
COMMENT ON COLUMN catalog.freight_quotes.fee IS 'Freight for `quantity` units, in `currency` (guide §6 fee.amount)';
COMMENT ON COLUMN catalog.freight_quotes.currency IS 'ISO 4217 code of the amounts beside it';
COMMENT ON COLUMN catalog.freight_quotes.quoted_at IS 'When it was quoted (UTC)';

CREATE TABLE catalog.freight_failures (
    product_id text NOT NULL,
    destination_country text NOT NULL,
    quantity bigint NOT NULL,
    dispatch_location text NOT NULL,
    code text NOT NULL,
    message text,
    failed_at timestamptz NOT NULL,
    PRIMARY KEY (product_id, destination_country, quantity, dispatch_location)
);
COMMENT ON TABLE catalog.freight_failures IS 'Which dispatch location was refused at the last quote, and why.';
COMMENT ON COLUMN catalog.freight_failures.product_id IS 'The Alibaba.com product ID (guide §4 product_id)';
COMMENT ON COLUMN catalog.freight_failures.destination_country IS 'ISO country code';
COMMENT ON COLUMN catalog.freight_failures.quantity IS 'Units asked for [units]';
COMMENT ON COLUMN catalog.freight_failures.dispatch_location IS 'The location asked for (guide §6 dispatch_location)';
COMMENT ON COLUMN catalog.freight_failures.code IS 'The gateway''s code; NO_OPTIONS: it answered, with an empty list';
COMMENT ON COLUMN catalog.freight_failures.message IS 'The gateway''s words';
COMMENT ON COLUMN catalog.freight_failures.failed_at IS 'When (UTC)';

CREATE TABLE catalog.price_changes (
    sku_id text NOT NULL,
    product_id text NOT NULL,
    min_quantity bigint NOT NULL,
    old_price numeric(18,4),
    new_price numeric(18,4),
    currency text,
    observed_at timestamptz NOT NULL
);
CREATE INDEX price_changes_product_id_sku_id_min_quantity_currency_observed_ ON catalog.price_changes (product_id, sku_id, min_quantity, currency, observed_at) INCLUDE (old_price, new_price);
CREATE INDEX price_changes_sku_id_observed_at ON catalog.price_changes (sku_id, observed_at);
CREATE INDEX price_changes_observed_at ON catalog.price_changes (observed_at);
COMMENT ON TABLE catalog.price_changes IS 'Every price that moved. A product''s first description is not a move: its prices stand since products.first_seen_at.';
COMMENT ON COLUMN catalog.price_changes.sku_id IS 'The variant, as orders name it (guide §4 skus[].sku_id)';
COMMENT ON COLUMN catalog.price_changes.product_id IS 'The product that the SKU belongs to (guide §4 product_id)';
COMMENT ON COLUMN catalog.price_changes.min_quantity IS 'The price tier [units]';
COMMENT ON COLUMN catalog.price_changes.old_price IS 'Unit price before; NULL: there was no such tier, or no price in it';
COMMENT ON COLUMN catalog.price_changes.new_price IS 'Unit price after; NULL: the tier is gone, or has no price';
COMMENT ON COLUMN catalog.price_changes.currency IS 'ISO 4217 code of the amounts beside it';
COMMENT ON COLUMN catalog.price_changes.observed_at IS 'When the change was seen (UTC); it happened at or before';

CREATE TABLE catalog.inventory_changes (
    sku_id text NOT NULL,
    product_id text NOT NULL,
    shipping_from text NOT NULL,
    old_quantity bigint,
    new_quantity bigint,
    observed_at timestamptz NOT NULL
);
CREATE INDEX inventory_changes_product_id_sku_id_observed_at ON catalog.inventory_changes (product_id, sku_id, observed_at);
CREATE INDEX inventory_changes_sku_id_observed_at ON catalog.inventory_changes (sku_id, observed_at);
CREATE INDEX inventory_changes_observed_at ON catalog.inventory_changes (observed_at);
COMMENT ON TABLE catalog.inventory_changes IS 'Every stock level that moved. A product''s first stock reading is not a move.';
COMMENT ON COLUMN catalog.inventory_changes.sku_id IS 'The variant, as orders name it (guide §4 skus[].sku_id)';
COMMENT ON COLUMN catalog.inventory_changes.product_id IS 'The product that the SKU belongs to (guide §4 product_id)';
COMMENT ON COLUMN catalog.inventory_changes.shipping_from IS 'ISO country code of the warehouse';
COMMENT ON COLUMN catalog.inventory_changes.old_quantity IS 'Units before; NULL: not stocked there [units]';
COMMENT ON COLUMN catalog.inventory_changes.new_quantity IS 'Units after; NULL: not stocked there any more [units]';
COMMENT ON COLUMN catalog.inventory_changes.observed_at IS 'When the change was seen (UTC); it happened at or before';

CREATE TABLE catalog.listing_changes (
    feed text,
    product_id text NOT NULL,
    change text NOT NULL,
    observed_at timestamptz NOT NULL
);
CREATE INDEX listing_changes_product_id_observed_at ON catalog.listing_changes (product_id, observed_at);
CREATE INDEX listing_changes_observed_at ON catalog.listing_changes (observed_at);
COMMENT ON TABLE catalog.listing_changes IS 'Every product that entered or left a feed, or the whole catalogue.';
COMMENT ON COLUMN catalog.listing_changes.feed IS 'The feed; NULL: the product itself, whose payload says that it is offline, or online again';
COMMENT ON COLUMN catalog.listing_changes.product_id IS 'The Alibaba.com product ID (guide §4 product_id)';
COMMENT ON COLUMN catalog.listing_changes.change IS '`listed` or `delisted`';
COMMENT ON COLUMN catalog.listing_changes.observed_at IS 'When the change was seen (UTC); it happened at or before';

CREATE TABLE ops.origin (
    the_one boolean NOT NULL,
    origin text NOT NULL,
    since timestamptz NOT NULL,
    PRIMARY KEY (the_one)
);
COMMENT ON TABLE ops.origin IS 'Whose catalogue this database holds, in one row: the simulated one and a real one are never mixed.';
COMMENT ON COLUMN ops.origin.the_one IS 'Always true: there is one row';
COMMENT ON COLUMN ops.origin.origin IS '`simulated` or `alibaba`';
COMMENT ON COLUMN ops.origin.since IS 'Since when (UTC)';

CREATE TABLE ops.fetches (
    kind text NOT NULL,
    product_id text NOT NULL,
    destination text NOT NULL,
    fetched_at timestamptz NOT NULL,
    outcome text NOT NULL,
    code text,
    payload_hash bigint,
    changed_at timestamptz,
    raw_file text,
    PRIMARY KEY (kind, product_id, destination)
);
COMMENT ON TABLE ops.fetches IS 'When each thing was last read from the API and how that ended: what is due follows from it.';
COMMENT ON COLUMN ops.fetches.kind IS '`description`, `inventory` or `freight`';
COMMENT ON COLUMN ops.fetches.product_id IS 'The product';
COMMENT ON COLUMN ops.fetches.destination IS 'Destination of a freight quote (`US` or `US:90001`); '''' for the other kinds';
COMMENT ON COLUMN ops.fetches.fetched_at IS 'When the last answer that settled it came (UTC)';
COMMENT ON COLUMN ops.fetches.outcome IS '`answered`, `refused` (a business error) or `rejected` (an answer that could not be read)';
COMMENT ON COLUMN ops.fetches.code IS 'The gateway''s code, where it refused';
COMMENT ON COLUMN ops.fetches.payload_hash IS 'Hash of the payload without what differs at each answer: equal means unchanged';
COMMENT ON COLUMN ops.fetches.changed_at IS 'When an answer last differed from the one before (UTC); NULL: none did yet';
COMMENT ON COLUMN ops.fetches.raw_file IS 'Where the answer was landed';

CREATE TABLE ops.raw_files (
    path text NOT NULL,
    kind text NOT NULL,
    run_id text NOT NULL,
    sweep_id text,
    answers bigint NOT NULL,
    merged_at timestamptz NOT NULL,
    PRIMARY KEY (path)
);
CREATE INDEX raw_files_sweep_id ON ops.raw_files (sweep_id);
COMMENT ON TABLE ops.raw_files IS 'Every raw file whose answers are in the tables. A raw file that is not here was landed by a run that died.';
COMMENT ON COLUMN ops.raw_files.path IS 'Path in the lake, from its root';
COMMENT ON COLUMN ops.raw_files.kind IS '`listing`, `description`, `inventory`, `freight`';
COMMENT ON COLUMN ops.raw_files.run_id IS 'The run that landed it';
COMMENT ON COLUMN ops.raw_files.sweep_id IS 'The sweep that a listing''s pages belong to';
COMMENT ON COLUMN ops.raw_files.answers IS 'How many answers it holds';
COMMENT ON COLUMN ops.raw_files.merged_at IS 'When its answers were merged (UTC)';

CREATE TABLE ops.sweeps (
    sweep_id text NOT NULL,
    feed text NOT NULL,
    run_id text NOT NULL,
    state text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    pages bigint NOT NULL,
    listed bigint NOT NULL,
    reported_total bigint,
    new bigint NOT NULL,
    missing bigint NOT NULL,
    delisted bigint NOT NULL,
    reason text,
    fence bigint,
    renewed_at timestamptz,
    page_size bigint,
    PRIMARY KEY (sweep_id)
);
CREATE INDEX sweeps_feed_started_at ON ops.sweeps (feed, started_at);
COMMENT ON TABLE ops.sweeps IS 'Every reading of a feed from end to end.';
COMMENT ON COLUMN ops.sweeps.sweep_id IS 'Sorts by time';
COMMENT ON COLUMN ops.sweeps.feed IS 'The feed';
COMMENT ON COLUMN ops.sweeps.run_id IS 'The run that began it';
COMMENT ON COLUMN ops.sweeps.state IS '`running`, `complete`, `incomplete`, `held`';
COMMENT ON COLUMN ops.sweeps.started_at IS 'When (UTC)';
COMMENT ON COLUMN ops.sweeps.ended_at IS 'When (UTC)';
COMMENT ON COLUMN ops.sweeps.pages IS 'Pages read';
COMMENT ON COLUMN ops.sweeps.listed IS 'Distinct products seen';
COMMENT ON COLUMN ops.sweeps.reported_total IS '`result_total` as last answered; NULL: the endpoint gives none (guide §3 result_total)';
COMMENT ON COLUMN ops.sweeps.new IS 'Memberships that began';
COMMENT ON COLUMN ops.sweeps.missing IS 'Members that it did not see';
COMMENT ON COLUMN ops.sweeps.delisted IS 'Memberships that ended; in a held sweep, those that would have';
COMMENT ON COLUMN ops.sweeps.reason IS 'Why it is incomplete or held';
COMMENT ON COLUMN ops.sweeps.fence IS 'Moves on when somebody else takes it over or gives it up: who has an older one writes nothing any more';
COMMENT ON COLUMN ops.sweeps.renewed_at IS 'When its reader last took it up or landed pages (UTC)';
COMMENT ON COLUMN ops.sweeps.page_size IS 'Products asked for a page; NULL: told again by a replay [products]';

CREATE TABLE ops.missed_memberships (
    feed text NOT NULL,
    product_id text NOT NULL,
    sweep_id text NOT NULL,
    missed_at timestamptz NOT NULL,
    PRIMARY KEY (feed, product_id)
);
COMMENT ON TABLE ops.missed_memberships IS 'Members that the last complete sweep of their feed did not see: gone, if the next one misses them too.';
COMMENT ON COLUMN ops.missed_memberships.feed IS 'The feed';
COMMENT ON COLUMN ops.missed_memberships.product_id IS 'The product';
COMMENT ON COLUMN ops.missed_memberships.sweep_id IS 'The sweep that missed it first';
COMMENT ON COLUMN ops.missed_memberships.missed_at IS 'When (UTC)';

CREATE TABLE ops.call_budget (
    app text NOT NULL,
    rate double precision NOT NULL,
    ceiling double precision NOT NULL,
    limit_seen double precision,
    next_free double precision NOT NULL,
    blocked_until double precision NOT NULL,
    changed_at double precision NOT NULL,
    PRIMARY KEY (app)
);
COMMENT ON TABLE ops.call_budget IS 'One row an app: the rate of calls that all its processes and machines share.';
COMMENT ON COLUMN ops.call_budget.app IS 'Which app and host: a hash, for the key is nobody''s business';
COMMENT ON COLUMN ops.call_budget.rate IS 'Calls a second granted now [calls/s]';
COMMENT ON COLUMN ops.call_budget.ceiling IS 'Calls a second that the settings allow [calls/s]';
COMMENT ON COLUMN ops.call_budget.limit_seen IS 'The rate at which the gateway last throttled [calls/s]';
COMMENT ON COLUMN ops.call_budget.next_free IS 'The next moment not granted yet [epoch seconds]';
COMMENT ON COLUMN ops.call_budget.blocked_until IS 'A ban: no call before [epoch seconds]';
COMMENT ON COLUMN ops.call_budget.changed_at IS 'When the rate last changed [epoch seconds]';

CREATE TABLE ops.accounts (
    account text NOT NULL,
    alibaba_user_id text,
    havana_id text,
    account_platform text,
    access_token bytea,
    refresh_token bytea,
    access_token_expires_at timestamptz,
    refresh_token_expires_at timestamptz,
    state text NOT NULL,
    reason text,
    seeded_from text,
    last_used_at timestamptz,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (account)
);
COMMENT ON TABLE ops.accounts IS 'Buyers that the app acts for. Tokens are encrypted with DROPSHIP_SECRET_KEY.';
COMMENT ON COLUMN ops.accounts.account IS 'The name it goes by here: `default`, or as it was authorised';
COMMENT ON COLUMN ops.accounts.alibaba_user_id IS 'Alibaba user ID (guide §1 user_info.user_id)';
COMMENT ON COLUMN ops.accounts.havana_id IS 'ID of a buyer migrated from the old platform (guide §1 note)';
COMMENT ON COLUMN ops.accounts.account_platform IS 'As answered (guide §1 account_platform)';
COMMENT ON COLUMN ops.accounts.access_token IS 'Encrypted';
COMMENT ON COLUMN ops.accounts.refresh_token IS 'Encrypted';
COMMENT ON COLUMN ops.accounts.access_token_expires_at IS 'When (UTC) (guide §1 expires_in)';
COMMENT ON COLUMN ops.accounts.refresh_token_expires_at IS 'When (UTC) (guide §1 refresh_expires_in)';
COMMENT ON COLUMN ops.accounts.state IS '`active`, or `reauthorise`: a person has to log in again';
COMMENT ON COLUMN ops.accounts.reason IS 'Why it must be authorised again';
COMMENT ON COLUMN ops.accounts.seeded_from IS 'Hash of the tokens in the environment that it was seeded from: new ones seed it again';
COMMENT ON COLUMN ops.accounts.last_used_at IS 'When a process last began to make calls with its tokens (UTC)';
COMMENT ON COLUMN ops.accounts.updated_at IS 'When (UTC)';

CREATE TABLE ops.rejected_records (
    kind text NOT NULL,
    record_key text NOT NULL,
    destination text NOT NULL,
    account text,
    reason text NOT NULL,
    message text NOT NULL,
    attempts bigint NOT NULL,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    payload_hash bigint,
    raw_file text,
    payload text,
    discarded_at timestamptz,
    discarded_by text,
    PRIMARY KEY (kind, record_key, destination)
);
COMMENT ON TABLE ops.rejected_records IS 'Dead letters: what could not be read, each until it is read or refused. One bad product costs that product. See `dropship rejected list`.';
COMMENT ON COLUMN ops.rejected_records.kind IS 'What it is: `description`, `inventory`, `freight`, `listing`, `order`';
COMMENT ON COLUMN ops.rejected_records.record_key IS 'Which one: a product ID, an order ID, or feed:page of a listing';
COMMENT ON COLUMN ops.rejected_records.destination IS 'Destination of a freight quote (`US` or `US:90001`); '''' for the other kinds';
COMMENT ON COLUMN ops.rejected_records.account IS 'Whose order it is; NULL for the other kinds';
COMMENT ON COLUMN ops.rejected_records.reason IS 'Stable code: `not_an_object`, `not_a_list`, `no_product_id`, `other_product`, `no_product_ids`, `no_levels`, `no_options`, `other_order` or `not_storable`';
COMMENT ON COLUMN ops.rejected_records.message IS 'The same in words';
COMMENT ON COLUMN ops.rejected_records.attempts IS 'How many answers could not be read, one after the other';
COMMENT ON COLUMN ops.rejected_records.first_seen_at IS 'When the first of them came (UTC)';
COMMENT ON COLUMN ops.rejected_records.last_seen_at IS 'When the last of them came (UTC)';
COMMENT ON COLUMN ops.rejected_records.payload_hash IS 'Hash of the last payload, as in ops.fetches: whether it changed';
COMMENT ON COLUMN ops.rejected_records.raw_file IS 'Where the last answer was landed; NULL for an order, which is not landed';
COMMENT ON COLUMN ops.rejected_records.payload IS 'What was answered last, without what looks like a secret, and shortened if it is long; NULL for an order, which names people, and for what is not storable';
COMMENT ON COLUMN ops.rejected_records.discarded_at IS 'When a person gave it up (UTC): it counts again when its payload changes';
COMMENT ON COLUMN ops.rejected_records.discarded_by IS 'Who did';

CREATE TABLE ops.watched_products (
    product_id text NOT NULL,
    importance double precision NOT NULL,
    note text,
    PRIMARY KEY (product_id)
);
COMMENT ON TABLE ops.watched_products IS 'The merchant''s own list: these are refreshed first, and people are told what becomes of them.';
COMMENT ON COLUMN ops.watched_products.product_id IS 'The product';
COMMENT ON COLUMN ops.watched_products.importance IS 'Weight against others; 1 is a product like any other';
COMMENT ON COLUMN ops.watched_products.note IS 'Whatever the merchant wants to remember';

CREATE TABLE ops.snapshots (
    snapshot text NOT NULL,
    run_id text NOT NULL,
    published_at timestamptz NOT NULL,
    row_counts jsonb NOT NULL,
    PRIMARY KEY (snapshot)
);
COMMENT ON TABLE ops.snapshots IS 'Every snapshot that was published to the lake and is still there.';
COMMENT ON COLUMN ops.snapshots.snapshot IS 'Its folder: UTC time, sorts by time';
COMMENT ON COLUMN ops.snapshots.run_id IS 'The run that wrote it';
COMMENT ON COLUMN ops.snapshots.published_at IS 'When it became the newest (UTC)';
COMMENT ON COLUMN ops.snapshots.row_counts IS 'Rows of each table';

CREATE TABLE ops.syncs (
    run_id text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    outcome text NOT NULL,
    summary jsonb,
    PRIMARY KEY (run_id)
);
CREATE INDEX syncs_started_at ON ops.syncs (started_at);
COMMENT ON TABLE ops.syncs IS 'Every sync with its closing summary.';
COMMENT ON COLUMN ops.syncs.run_id IS 'The run, as Dagster names it';
COMMENT ON COLUMN ops.syncs.started_at IS 'When (UTC)';
COMMENT ON COLUMN ops.syncs.ended_at IS 'When (UTC); NULL: it still goes, or was killed';
COMMENT ON COLUMN ops.syncs.outcome IS '`running`, `done`, or `failed`';
COMMENT ON COLUMN ops.syncs.summary IS 'Counts by feed and stage';
