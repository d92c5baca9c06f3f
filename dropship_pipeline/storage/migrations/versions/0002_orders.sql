-- The orders, and what reading them needs to remember.

CREATE SCHEMA IF NOT EXISTS orders;
COMMENT ON SCHEMA orders IS 'What was ordered, how it stands, where its parcels are';

CREATE TABLE orders.orders (
    trade_id text NOT NULL,
    account text NOT NULL,
    status text,
    pay_step text,
    fulfillment_channel text,
    dropshipping boolean,
    created_at timestamptz,
    modified_at timestamptz,
    shipped_at timestamptz,
    product_total numeric(18,4),
    shipment_fee numeric(18,4),
    total numeric(18,4),
    currency text,
    carrier_code text,
    carrier_name text,
    country_code text,
    fetched_at timestamptz NOT NULL,
    PRIMARY KEY (trade_id)
);
CREATE INDEX orders_account_created_at ON orders.orders (account, created_at);
CREATE INDEX orders_status ON orders.orders (status);
COMMENT ON TABLE orders.orders IS 'One row an order of the accounts that the app acts for.';
COMMENT ON COLUMN orders.orders.trade_id IS 'The Alibaba.com order ID (guide §11 trade_id)';
COMMENT ON COLUMN orders.orders.account IS 'Whose order it is: see ops.accounts';
COMMENT ON COLUMN orders.orders.status IS 'As answered: there are more than the guide lists, and an unknown one is kept (guide §11 trade_status)';
COMMENT ON COLUMN orders.orders.pay_step IS 'As answered (guide §11 pay_step)';
COMMENT ON COLUMN orders.orders.fulfillment_channel IS 'As answered (guide §11 fulfillment_channel)';
COMMENT ON COLUMN orders.orders.dropshipping IS 'Whether it is a dropshipping order (guide §11 dropshipping)';
COMMENT ON COLUMN orders.orders.created_at IS 'When it was placed (UTC) (guide §11 create_date.timestamp)';
COMMENT ON COLUMN orders.orders.modified_at IS 'When it last changed, as the list said before it was read (UTC). NULL: no list has shown it yet (guide §10 modify_date.timestamp)';
COMMENT ON COLUMN orders.orders.shipped_at IS 'When the seller shipped it (UTC) (guide §13 shipment_date.timestamp)';
COMMENT ON COLUMN orders.orders.product_total IS 'All products, in `currency` (guide §11 product_total_amount)';
COMMENT ON COLUMN orders.orders.shipment_fee IS 'Freight, in `currency` (guide §11 shipment_fee)';
COMMENT ON COLUMN orders.orders.total IS 'What the buyer pays, in `currency` (guide §11 total_amount)';
COMMENT ON COLUMN orders.orders.currency IS 'ISO 4217 code of the amounts beside it';
COMMENT ON COLUMN orders.orders.carrier_code IS 'Carrier, as freight quotes name it (vendor_code) (guide §11 carrier.code)';
COMMENT ON COLUMN orders.orders.carrier_name IS 'Carrier, for people (guide §11 carrier.name)';
COMMENT ON COLUMN orders.orders.country_code IS 'Where it goes, ISO 3166 (guide §11 shipping_address.country_code)';
COMMENT ON COLUMN orders.orders.fetched_at IS 'When it was last read (UTC)';

CREATE TABLE orders.order_lines (
    trade_id text NOT NULL,
    line integer NOT NULL,
    product_id text,
    sku_id text,
    name text,
    quantity numeric(18,4),
    unit text,
    unit_price numeric(18,4),
    currency text,
    PRIMARY KEY (trade_id, line)
);
CREATE INDEX order_lines_product_id ON orders.order_lines (product_id);
COMMENT ON TABLE orders.order_lines IS 'What was ordered, a row a variant.';
COMMENT ON COLUMN orders.order_lines.trade_id IS 'The Alibaba.com order ID (guide §11 trade_id)';
COMMENT ON COLUMN orders.order_lines.line IS 'Place in the order, from 1 (guide §11 order_products[])';
COMMENT ON COLUMN orders.order_lines.product_id IS 'The product (guide §11 order_products[].product_id)';
COMMENT ON COLUMN orders.order_lines.sku_id IS 'The variant (guide §11 order_products[].sku_id)';
COMMENT ON COLUMN orders.order_lines.name IS 'What the product was called (guide §11 order_products[].name)';
COMMENT ON COLUMN orders.order_lines.quantity IS 'How much of it [units] (guide §11 order_products[].quantity)';
COMMENT ON COLUMN orders.order_lines.unit IS 'What one unit is (guide §11 order_products[].unit)';
COMMENT ON COLUMN orders.order_lines.unit_price IS 'Price of one unit, in `currency` (guide §11 order_products[].unit_price.amount)';
COMMENT ON COLUMN orders.order_lines.currency IS 'ISO 4217 code of the amounts beside it';

CREATE TABLE orders.order_status_changes (
    trade_id text NOT NULL,
    old_status text NOT NULL,
    new_status text NOT NULL,
    observed_at timestamptz NOT NULL,
    irregularity text
);
CREATE INDEX order_status_changes_trade_id_observed_at ON orders.order_status_changes (trade_id, observed_at);
CREATE INDEX order_status_changes_observed_at ON orders.order_status_changes (observed_at);
COMMENT ON TABLE orders.order_status_changes IS 'Every change of an order''s status between two readings. The first reading is none.';
COMMENT ON COLUMN orders.order_status_changes.trade_id IS 'The Alibaba.com order ID (guide §11 trade_id)';
COMMENT ON COLUMN orders.order_status_changes.old_status IS 'Status at the reading before';
COMMENT ON COLUMN orders.order_status_changes.new_status IS 'Status now';
COMMENT ON COLUMN orders.order_status_changes.observed_at IS 'When the change was seen (UTC); it happened at or before';
COMMENT ON COLUMN orders.order_status_changes.irregularity IS 'NULL: the new status follows the old one. `skipped`: others lie between, which no reading saw. `backwards`: the order was further before, or had ended. `unknown`: one of the two is none that we know';

CREATE TABLE orders.shipments (
    trade_id text NOT NULL,
    tracking_number text NOT NULL,
    carrier text,
    service_provider text,
    logistics_type text,
    logistic_status text,
    current_event_code text,
    tracking_url text,
    PRIMARY KEY (trade_id, tracking_number)
);
COMMENT ON TABLE orders.shipments IS 'The parcels of an order, from its logistics and from their tracking together. One that was named once stays.';
COMMENT ON COLUMN orders.shipments.trade_id IS 'The Alibaba.com order ID (guide §11 trade_id)';
COMMENT ON COLUMN orders.shipments.tracking_number IS 'The parcel (guide §12 tracking_number, §13 voucher.tracking_number)';
COMMENT ON COLUMN orders.shipments.carrier IS 'Who carries it (guide §12 carrier)';
COMMENT ON COLUMN orders.shipments.service_provider IS 'The service (guide §13 voucher.service_provider)';
COMMENT ON COLUMN orders.shipments.logistics_type IS 'As answered (guide §13 voucher.logistics_type)';
COMMENT ON COLUMN orders.shipments.logistic_status IS 'How far the order''s delivery is (guide §13 logistic_status)';
COMMENT ON COLUMN orders.shipments.current_event_code IS 'What last happened (guide §12 current_event_code)';
COMMENT ON COLUMN orders.shipments.tracking_url IS 'Where a person can follow it (guide §12 tracking_url)';

CREATE TABLE orders.tracking_events (
    trade_id text NOT NULL,
    tracking_number text NOT NULL,
    event_code text NOT NULL,
    event_time text NOT NULL,
    event_name text,
    event_location text,
    PRIMARY KEY (trade_id, tracking_number, event_code, event_time)
);
COMMENT ON TABLE orders.tracking_events IS 'What happened to the parcels on their way. An event that was told once stays: carriers forget.';
COMMENT ON COLUMN orders.tracking_events.trade_id IS 'The Alibaba.com order ID (guide §11 trade_id)';
COMMENT ON COLUMN orders.tracking_events.tracking_number IS 'The parcel (guide §12 tracking_number, §13 voucher.tracking_number)';
COMMENT ON COLUMN orders.tracking_events.event_code IS 'As answered; '''' where there is none (guide §12 event_code)';
COMMENT ON COLUMN orders.tracking_events.event_time IS 'As answered: the API gives no zone, so that it is no moment; sorts by time. '''' where there is none (guide §12 event_time)';
COMMENT ON COLUMN orders.tracking_events.event_name IS 'In words (guide §12 event_name)';
COMMENT ON COLUMN orders.tracking_events.event_location IS 'Where, in words (guide §12 event_location)';

CREATE TABLE orders.payments (
    trade_id text NOT NULL,
    transaction_fee numeric(18,4),
    currency text,
    PRIMARY KEY (trade_id)
);
COMMENT ON TABLE orders.payments IS 'What paying for an order cost. An order that is not paid has no row.';
COMMENT ON COLUMN orders.payments.trade_id IS 'The Alibaba.com order ID (guide §11 trade_id)';
COMMENT ON COLUMN orders.payments.transaction_fee IS 'Fee of the payment (guide §14 payment_transaction_fee.amount)';
COMMENT ON COLUMN orders.payments.currency IS 'ISO 4217 code of the amounts beside it';

CREATE TABLE orders.recipients (
    trade_id text NOT NULL,
    contact_person text,
    country_code text,
    country text,
    province text,
    city text,
    zip text,
    address text,
    alternate_address text,
    mobile text,
    telephone text,
    PRIMARY KEY (trade_id)
);
COMMENT ON TABLE orders.recipients IS 'To whom an order goes. Personal data: here and nowhere else. Row security shows no row to anybody but the owner of the table, whatever was granted, until a policy lets a role in.';
COMMENT ON COLUMN orders.recipients.trade_id IS 'The Alibaba.com order ID (guide §11 trade_id)';
COMMENT ON COLUMN orders.recipients.contact_person IS 'Name (guide §11 shipping_address.contact_person)';
COMMENT ON COLUMN orders.recipients.country_code IS 'ISO 3166 (guide §11 shipping_address.country_code)';
COMMENT ON COLUMN orders.recipients.country IS 'Country (guide §11 shipping_address.country)';
COMMENT ON COLUMN orders.recipients.province IS 'State or province (guide §11 shipping_address.province)';
COMMENT ON COLUMN orders.recipients.city IS 'City (guide §11 shipping_address.city)';
COMMENT ON COLUMN orders.recipients.zip IS 'Postal code (guide §11 shipping_address.zip)';
COMMENT ON COLUMN orders.recipients.address IS 'Street and number (guide §11 shipping_address.address)';
COMMENT ON COLUMN orders.recipients.alternate_address IS 'Second line (guide §11 shipping_address.alternate_address)';
COMMENT ON COLUMN orders.recipients.mobile IS 'Country, area and number (guide §11 shipping_address.mobile)';
COMMENT ON COLUMN orders.recipients.telephone IS 'Country, area and number (guide §11 shipping_address.telephone)';
ALTER TABLE orders.recipients ENABLE ROW LEVEL SECURITY;

CREATE TABLE orders.placements (
    channel_refer_id text NOT NULL,
    account text NOT NULL,
    state text NOT NULL,
    trade_id text,
    request jsonb NOT NULL,
    recipient bytea,
    quote jsonb,
    fingerprint text NOT NULL,
    likeness text NOT NULL,
    sends integer NOT NULL,
    sent_at timestamptz,
    orders_before text[],
    pay_state text,
    pay_url text,
    reason text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (channel_refer_id)
);
CREATE INDEX placements_trade_id ON orders.placements (trade_id);
CREATE INDEX placements_likeness ON orders.placements (likeness);
COMMENT ON TABLE orders.placements IS 'Orders that we place, by our own reference: written before Alibaba.com is asked, so that none is placed twice. Under row security as orders.recipients: it tells what was ordered, and where it can be paid.';
COMMENT ON COLUMN orders.placements.channel_refer_id IS 'The merchant''s own reference (guide §8 channel_refer_id)';
COMMENT ON COLUMN orders.placements.account IS 'Who orders: see ops.accounts';
COMMENT ON COLUMN orders.placements.state IS '`planned`: nothing was sent. `sending`: it is, or whoever sent it was killed. `placed`. `refused`: there is no order. `ambiguous`: the answer was lost, and an order may exist. `needs_person`: the account''s orders do not tell whether it does. `cancelling`, `cancelled`';
COMMENT ON COLUMN orders.placements.trade_id IS 'The order that came of it (guide §8 trade_id)';
COMMENT ON COLUMN orders.placements.request IS 'What was asked for, without the recipient';
COMMENT ON COLUMN orders.placements.recipient IS 'Recipient, remark and customs details, encrypted with DROPSHIP_SECRET_KEY. NULL once the order is placed: see orders.recipients';
COMMENT ON COLUMN orders.placements.quote IS 'Carrier, dispatch location and costs at which it is placed (guide §7)';
COMMENT ON COLUMN orders.placements.fingerprint IS 'Hash of all that was asked for: a reference stands for one order';
COMMENT ON COLUMN orders.placements.likeness IS 'Hash of what orders at Alibaba.com can be told apart by';
COMMENT ON COLUMN orders.placements.sends IS 'How often it was sent';
COMMENT ON COLUMN orders.placements.sent_at IS 'When it was first sent (UTC), by the clock that signed';
COMMENT ON COLUMN orders.placements.orders_before IS 'Orders that the account had when it was first sent, of the two hours before, and no placement of ours: it is none of these';
COMMENT ON COLUMN orders.placements.pay_state IS '`sending`, `ambiguous`: the answer was lost. `verifying`: by the bank. `by_hand`: a person has to pay first. `failed`, `paid`. NULL: nobody asked for it';
COMMENT ON COLUMN orders.placements.pay_url IS 'Where a person can pay for it (guide §8 pay_url)';
COMMENT ON COLUMN orders.placements.reason IS 'Why it is as it is, where that is not what was wanted';
COMMENT ON COLUMN orders.placements.created_at IS 'When it was first asked for (UTC)';
COMMENT ON COLUMN orders.placements.updated_at IS 'When a state last changed (UTC)';
ALTER TABLE orders.placements ENABLE ROW LEVEL SECURITY;

CREATE TABLE ops.order_fetches (
    trade_id text NOT NULL,
    account text NOT NULL,
    listed_status text,
    listed_created_at timestamptz,
    listed_modified_at timestamptz,
    due_since timestamptz,
    look_again_at timestamptz,
    requested_at timestamptz,
    fetched_at timestamptz,
    outcome text,
    code text,
    PRIMARY KEY (trade_id)
);
CREATE INDEX order_fetches_due_since ON ops.order_fetches (due_since);
CREATE INDEX order_fetches_look_again_at ON ops.order_fetches (look_again_at);
CREATE INDEX order_fetches_account_listed_modified_at ON ops.order_fetches (account, listed_modified_at);
COMMENT ON TABLE ops.order_fetches IS 'What the order list last said of each order, and what of that is in the tables: what is due follows from it.';
COMMENT ON COLUMN ops.order_fetches.trade_id IS 'The order';
COMMENT ON COLUMN ops.order_fetches.account IS 'Whose order it is';
COMMENT ON COLUMN ops.order_fetches.listed_status IS 'Status in the list (guide §10 trade_status)';
COMMENT ON COLUMN ops.order_fetches.listed_created_at IS 'When the list says it was placed (UTC) (guide §10 create_date)';
COMMENT ON COLUMN ops.order_fetches.listed_modified_at IS 'When the list says it last changed (UTC) (guide §10 modify_date)';
COMMENT ON COLUMN ops.order_fetches.due_since IS 'Since when the list says more than the tables (UTC); NULL: it does not';
COMMENT ON COLUMN ops.order_fetches.look_again_at IS 'When it is read again whatever the list says (UTC); NULL: never';
COMMENT ON COLUMN ops.order_fetches.requested_at IS 'When it was last handed out to be read (UTC)';
COMMENT ON COLUMN ops.order_fetches.fetched_at IS 'When the last answer that settled it came (UTC)';
COMMENT ON COLUMN ops.order_fetches.outcome IS '`answered`, `refused` (a business error) or `rejected` (could not be read)';
COMMENT ON COLUMN ops.order_fetches.code IS 'The gateway''s code, where it refused';

CREATE TABLE ops.order_days (
    account text NOT NULL,
    day text NOT NULL,
    listed bigint NOT NULL,
    missing bigint NOT NULL,
    differing bigint NOT NULL,
    unlisted bigint NOT NULL,
    reason text,
    reconciled_at timestamptz NOT NULL,
    PRIMARY KEY (account, day)
);
COMMENT ON TABLE ops.order_days IS 'Days of orders that were compared with the order list, from end to end.';
COMMENT ON COLUMN ops.order_days.account IS 'Whose orders';
COMMENT ON COLUMN ops.order_days.day IS 'Day on which they were placed, from midnight to midnight UTC';
COMMENT ON COLUMN ops.order_days.listed IS 'Orders that the list showed';
COMMENT ON COLUMN ops.order_days.missing IS 'Of these, not in the tables before';
COMMENT ON COLUMN ops.order_days.differing IS 'Of these, with another status or time of change in the tables';
COMMENT ON COLUMN ops.order_days.unlisted IS 'Orders of the day in the tables that the list did not show';
COMMENT ON COLUMN ops.order_days.reason IS 'Why the list could not be read to its end, or an order not at all; NULL: all is done';
COMMENT ON COLUMN ops.order_days.reconciled_at IS 'When (UTC)';
