"""The tables of schema `ops`: the project's own book-keeping. Analysts need none of them; a person in trouble may."""

from dropship_pipeline.tables.model import Column, Table, Type

_TEXT, _INT, _BIG, _TIME, _DOUBLE = Type.TEXT, Type.INTEGER, Type.BIGINT, Type.TIMESTAMP, Type.DOUBLE

FETCHES = Table(
    "ops",
    "fetches",
    "When each thing was last read from the API and how that ended: what is due follows from it.",
    (
        Column("kind", _TEXT, "`description`, `inventory` or `freight`", nullable=False),
        Column("product_id", _TEXT, "The product", nullable=False),
        Column(
            "destination",
            _TEXT,
            "Destination of a freight quote (`US` or `US:90001`); '' for the other kinds",
            nullable=False,
        ),
        Column("fetched_at", _TIME, "When the last answer that settled it came (UTC)", nullable=False),
        Column(
            "outcome",
            _TEXT,
            "`answered`, `refused` (a business error) or `rejected` (an answer that could not be read)",
            nullable=False,
        ),
        Column("code", _TEXT, "The gateway's code, where it refused"),
        Column("payload_hash", _BIG, "Hash of the payload without what differs at each answer: equal means unchanged"),
        Column("changed_at", _TIME, "When an answer last differed from the one before (UTC); NULL: none did yet"),
        Column("raw_file", _TEXT, "Where the answer was landed"),
    ),
    key=("kind", "product_id", "destination"),
    # none by time: each reading would have to write it, and the planner would look a product up in it
    observed=("fetched_at", "raw_file"),
)

RAW_FILES = Table(
    "ops",
    "raw_files",
    "Every raw file whose answers are in the tables. A raw file that is not here was landed by a run that died.",
    (
        Column("path", _TEXT, "Path in the lake, from its root", nullable=False),
        Column("kind", _TEXT, "`listing`, `description`, `inventory`, `freight`", nullable=False),
        Column("run_id", _TEXT, "The run that landed it", nullable=False),
        Column("sweep_id", _TEXT, "The sweep that a listing's pages belong to"),
        Column("answers", _BIG, "How many answers it holds", nullable=False),
        Column("merged_at", _TIME, "When its answers were merged (UTC)", nullable=False),
    ),
    key=("path",),
    indexes=(("sweep_id",),),
)

SWEEPS = Table(
    "ops",
    "sweeps",
    "Every reading of a feed from end to end.",
    (
        Column("sweep_id", _TEXT, "Sorts by time", nullable=False),
        Column("feed", _TEXT, "The feed", nullable=False),
        Column("run_id", _TEXT, "The run that began it", nullable=False),
        Column("state", _TEXT, "`running`, `complete`, `incomplete`, `held`", nullable=False),
        Column("started_at", _TIME, "When (UTC)", nullable=False),
        Column("ended_at", _TIME, "When (UTC)"),
        Column("pages", _BIG, "Pages read", nullable=False),
        Column("listed", _BIG, "Distinct products seen", nullable=False),
        Column(
            "reported_total",
            _BIG,
            "`result_total` as last answered; NULL: the endpoint gives none",
            source="§3 result_total",
        ),
        Column("new", _BIG, "Memberships that began", nullable=False),
        Column("missing", _BIG, "Members that it did not see", nullable=False),
        Column("delisted", _BIG, "Memberships that ended; in a held sweep, those that would have", nullable=False),
        Column("reason", _TEXT, "Why it is incomplete or held"),
        Column(
            "fence",
            _BIG,
            "Moves on when somebody else takes it over or gives it up: who has an older one writes nothing any more",
        ),
        Column("renewed_at", _TIME, "When its reader last took it up or landed pages (UTC)"),
        Column("page_size", _BIG, "Products asked for a page; NULL: told again by a replay", unit="products"),
    ),
    key=("sweep_id",),
    indexes=(("feed", "started_at"),),
)

MISSED_MEMBERSHIPS = Table(
    "ops",
    "missed_memberships",
    "Members that the last complete sweep of their feed did not see: gone, if the next one misses them too.",
    (
        Column("feed", _TEXT, "The feed", nullable=False),
        Column("product_id", _TEXT, "The product", nullable=False),
        Column("sweep_id", _TEXT, "The sweep that missed it first", nullable=False),
        Column("missed_at", _TIME, "When (UTC)", nullable=False),
    ),
    key=("feed", "product_id"),
)

CALL_BUDGET = Table(
    "ops",
    "call_budget",
    "One row an app: the rate of calls that all its processes and machines share.",
    (
        Column("app", _TEXT, "Which app and host: a hash, for the key is nobody's business", nullable=False),
        Column("rate", _DOUBLE, "Calls a second granted now", nullable=False, unit="calls/s"),
        Column("ceiling", _DOUBLE, "Calls a second that the settings allow", nullable=False, unit="calls/s"),
        Column("limit_seen", _DOUBLE, "The rate at which the gateway last throttled", unit="calls/s"),
        Column("next_free", _DOUBLE, "The next moment not granted yet", nullable=False, unit="epoch seconds"),
        Column("blocked_until", _DOUBLE, "A ban: no call before", nullable=False, unit="epoch seconds"),
        Column("changed_at", _DOUBLE, "When the rate last changed", nullable=False, unit="epoch seconds"),
    ),
    key=("app",),
)

ACCOUNTS = Table(
    "ops",
    "accounts",
    "Buyers that the app acts for. Tokens are encrypted with DROPSHIP_SECRET_KEY.",
    (
        Column("account", _TEXT, "The name it goes by here: `default`, or as it was authorised", nullable=False),
        Column("alibaba_user_id", _TEXT, "Alibaba user ID", source="§1 user_info.user_id"),
        Column("havana_id", _TEXT, "ID of a buyer migrated from the old platform", source="§1 note"),
        Column("account_platform", _TEXT, "As answered", source="§1 account_platform", example="buyApp"),
        Column("access_token", Type.BYTES, "Encrypted"),
        Column("refresh_token", Type.BYTES, "Encrypted"),
        Column("access_token_expires_at", _TIME, "When (UTC)", source="§1 expires_in"),
        Column("refresh_token_expires_at", _TIME, "When (UTC)", source="§1 refresh_expires_in"),
        Column("state", _TEXT, "`active`, or `reauthorise`: a person has to log in again", nullable=False),
        Column("reason", _TEXT, "Why it must be authorised again"),
        Column(
            "seeded_from",
            _TEXT,
            "Hash of the tokens in the environment that it was seeded from: new ones seed it again",
        ),
        Column("last_used_at", _TIME, "When a process last began to make calls with its tokens (UTC)"),
        Column("updated_at", _TIME, "When (UTC)", nullable=False),
    ),
    key=("account",),
)

REJECTED_RECORDS = Table(
    "ops",
    "rejected_records",
    "Dead letters: what could not be read, each until it is read or refused. One bad product costs that product. "
    "See `dropship rejected list`.",
    (
        Column("kind", _TEXT, "What it is: `description`, `inventory`, `freight`, `listing`, `order`", nullable=False),
        Column("record_key", _TEXT, "Which one: a product ID, an order ID, or feed:page of a listing", nullable=False),
        Column(
            "destination",
            _TEXT,
            "Destination of a freight quote (`US` or `US:90001`); '' for the other kinds",
            nullable=False,
        ),
        Column("account", _TEXT, "Whose order it is; NULL for the other kinds"),
        Column(
            "reason",
            _TEXT,
            "Stable code: `not_an_object`, `not_a_list`, `no_product_id`, `other_product`, `no_product_ids`, "
            "`no_levels`, `no_options`, `other_order` or `not_storable`",
            nullable=False,
        ),
        Column("message", _TEXT, "The same in words", nullable=False),
        Column("attempts", _BIG, "How many answers could not be read, one after the other", nullable=False),
        Column("first_seen_at", _TIME, "When the first of them came (UTC)", nullable=False),
        Column("last_seen_at", _TIME, "When the last of them came (UTC)", nullable=False),
        Column("payload_hash", _BIG, "Hash of the last payload, as in ops.fetches: whether it changed"),
        Column("raw_file", _TEXT, "Where the last answer was landed; NULL for an order, which is not landed"),
        Column(
            "payload",
            _TEXT,
            "What was answered last, without what looks like a secret, and shortened if it is long; NULL for an order, "
            "which names people, and for what is not storable",
        ),
        Column("discarded_at", _TIME, "When a person gave it up (UTC): it counts again when its payload changes"),
        Column("discarded_by", _TEXT, "Who did"),
    ),
    key=("kind", "record_key", "destination"),
)

WATCHED_PRODUCTS = Table(
    "ops",
    "watched_products",
    "The merchant's own list: these are refreshed first, and people are told what becomes of them.",
    (
        Column("product_id", _TEXT, "The product", nullable=False),
        Column("importance", _DOUBLE, "Weight against others; 1 is a product like any other", nullable=False),
        Column("note", _TEXT, "Whatever the merchant wants to remember"),
    ),
    key=("product_id",),
)

WATCHED_OFFERS = Table(
    "ops",
    "watched_offers",
    "What people were last told, or found when they began to watch, of each variant of a watched product on offer: "
    "they are told again when the tables differ from it. No row: of this nothing is known yet, and its first reading "
    "is no news.",
    (
        Column("product_id", _TEXT, "The watched product", nullable=False),
        Column("sku_id", _TEXT, "The variant; '' for the product itself", nullable=False),
        Column("price", Type.MONEY, "Its unit price in the first tier, or that of the ready-to-ship trade"),
        Column("currency", _TEXT, "ISO 4217 code of the price"),
        Column(
            "is_low",
            Type.BOOLEAN,
            "Whether its stock fell below the minimum of ops.hold_rules, until there is twice that; NULL: not known",
        ),
        Column("priced_at", _TIME, "Since when that price is the one that people know (UTC)"),
    ),
    key=("product_id", "sku_id"),
)

HOLD_RULES = Table(
    "ops",
    "hold_rules",
    "The merchant's own list: what keeps an offer from being sold, as `marts.on_hold` finds it. Every rule that "
    "applies is looked at; a limit that is NULL is none. What is unknown breaks no rule.",
    (
        Column("rule", _TEXT, "Its name, as on_hold gives it", nullable=False, example="default"),
        Column("category_id", _TEXT, "Only products of this category; NULL: of any"),
        Column("product_id", _TEXT, "Only this product; NULL: any"),
        Column("destination_country", _TEXT, "Delivery and landed cost to there alone; NULL: to each", example="US"),
        Column("minimum_stock", _BIG, "Fewest units of a variant, all warehouses together", unit="units"),
        Column("maximum_days", _INT, "Slowest delivery that will do", unit="days"),
        Column(
            "maximum_landed_cost",
            Type.MONEY,
            "Dearest landed cost of a unit, in `currency`, by the carriers that are quick enough",
        ),
        Column("currency", _TEXT, "ISO 4217 code of maximum_landed_cost: it is held against costs in this one alone"),
        Column("maximum_move", _DOUBLE, "How far a price may have moved in seven days, up or down", unit="%"),
        Column("note", _TEXT, "Whatever the merchant wants to remember"),
    ),
    key=("rule",),
)

SKU_PRICES = Table(
    "ops",
    "sku_prices",
    "What marts.current_offers says of the price tiers of a SKU, kept by triggers of catalog.price_tiers in the "
    "transaction that writes there: one row a SKU with tiers, and never to be written to.",
    (
        Column("sku_id", _TEXT, "The variant", nullable=False),
        Column("product_id", _TEXT, "The product that its tiers name", nullable=False),
        Column("currency", _TEXT, "ISO 4217 code of the prices; of several the last by name"),
        Column("first_quantity", _BIG, "Where the tiers begin", unit="units", nullable=False),
        Column("first_price", Type.MONEY, "Unit price there, in `currency`; NULL: not known"),
        Column("best_quantity", _BIG, "Fewest units that get the lowest price; NULL: no price is known", unit="units"),
        Column("best_price", Type.MONEY, "The lowest unit price, in `currency`"),
    ),
    key=("sku_id", "product_id"),
    indexes=(("product_id", "sku_id"),),
    included=(("currency", "first_quantity", "first_price", "best_quantity", "best_price"),),
)

SNAPSHOTS = Table(
    "ops",
    "snapshots",
    "Every snapshot that was published to the lake and is still there.",
    (
        Column("snapshot", _TEXT, "Its folder: UTC time, sorts by time", nullable=False),
        Column("run_id", _TEXT, "The run that wrote it", nullable=False),
        Column("published_at", _TIME, "When it became the newest (UTC)", nullable=False),
        Column("row_counts", Type.JSON, "Rows of each table", nullable=False),
    ),
    key=("snapshot",),
)

TABLE_WRITES = Table(
    "ops",
    "table_writes",
    "Which tables were written to, by which transaction, since they were last published: their triggers note it. What "
    "is not named here is not published anew. To have a table published anew, insert a row.",
    (
        Column("table_name", _TEXT, "The table, `schema.name`", nullable=False, example="catalog.products"),
        Column("transaction_id", _BIG, "Postgres's number of the transaction that wrote to it", nullable=False),
        Column(
            "began_at", _TIME, "When that began (UTC): in a restored database its number is no other's", nullable=False
        ),
    ),
    key=("table_name", "transaction_id", "began_at"),
)

PUBLISHES = Table(
    "ops",
    "publishes",
    "The snapshot that this database published last, in one row: whatever was written to the tables since then is in "
    "ops.table_writes.",
    (
        Column(
            "number",
            _BIG,
            "Counts on with each publish: whoever comes too late to record his finds its number taken",
            nullable=False,
        ),
        Column("snapshot", _TEXT, "Its folder", nullable=False),
        Column("taken_at", _TIME, "The moment that its tables show (UTC), as it says of itself", nullable=False),
        Column(
            "versions",
            Type.JSON,
            "Of the rows of each table: another one after each publish of new rows",
            nullable=False,
        ),
    ),
    key=("number",),
)

SOUND_TABLES = Table(
    "ops",
    "sound_tables",
    "Which tables were checked row by row and found without fault: they are not read again until somebody writes to "
    "them, or to what they refer to. To have a table checked anew, delete its row.",
    (
        Column("table_name", _TEXT, "The table, `schema.name`", nullable=False, example="catalog.products"),
        Column("fingerprint", _TEXT, "Of what was asked, and of the rows that were read", nullable=False),
        Column("rows", _BIG, "How many there were", nullable=False),
        Column("asked_at", _TIME, "When (UTC)", nullable=False),
    ),
    key=("table_name",),
)

SYNCS = Table(
    "ops",
    "syncs",
    "Every sync with its closing summary.",
    (
        Column("run_id", _TEXT, "The run, as Dagster names it", nullable=False),
        Column("started_at", _TIME, "When (UTC)", nullable=False),
        Column("ended_at", _TIME, "When (UTC); NULL: it still goes, or was killed"),
        Column("outcome", _TEXT, "`running`, `done`, or `failed`", nullable=False),
        Column("summary", Type.JSON, "Counts by feed and stage"),
    ),
    key=("run_id",),
    indexes=(("started_at",),),
)

ORIGIN = Table(
    "ops",
    "origin",
    "Whose catalogue this database holds, in one row: the simulated one and a real one are never mixed.",
    (
        Column("the_one", Type.BOOLEAN, "Always true: there is one row", nullable=False),
        Column("origin", _TEXT, "`simulated` or `alibaba`", nullable=False),
        Column("since", _TIME, "Since when (UTC)", nullable=False),
    ),
    key=("the_one",),
)

ALERTS = Table(
    "ops",
    "alerts",
    "Problems that deserve a person's attention, each once: since when, how often, and what is still to be told of it.",
    (
        Column(
            "key",
            _TEXT,
            "Which problem: `run:<job>:<step>:<partitions>`, `check:<asset>:<name>:<partitions>`, `held:<feed>`, "
            "`account:<name>`, `tick:<schedule or sensor>`; or the news of a watched product, `watch:<product_id>`",
            nullable=False,
        ),
        Column("kind", _TEXT, "`run`, `check`, `held`, `account`, `tick` or `watch`", nullable=False),
        Column(
            "subject",
            _TEXT,
            "What has to go well again for it to be over: `step publish`, `job catalogue_sync`, `check products:keys`",
            nullable=False,
        ),
        Column("partitions", _TEXT, "The partitions that it is about, as `first...last`; '' for none", nullable=False),
        Column("title", _TEXT, "What happened, and where", nullable=False),
        Column("detail", _TEXT, "Why, and what to do; one line without secrets", nullable=False),
        Column("link", _TEXT, "Where in the Dagster UI it is seen; '' for nowhere", nullable=False),
        Column("first_at", _TIME, "When it began (UTC)", nullable=False),
        Column("last_at", _TIME, "When it was last seen (UTC)", nullable=False),
        Column("count", _BIG, "How often it was seen", nullable=False),
        Column("returned", _BIG, "How often it came back within a day after it was said to be over", nullable=False),
        Column("sent_at", _TIME, "When it was last told (UTC); NULL: not yet"),
        Column("next_at", _TIME, "When it is to be told next (UTC); NULL: there is nothing to tell"),
        Column("attempts", _BIG, "How often in a row telling it failed", nullable=False),
        Column("resolved_at", _TIME, "When it was over (UTC); NULL: it lasts"),
    ),
    key=("key",),
)

ORDER_FETCHES = Table(
    "ops",
    "order_fetches",
    "What the order list last said of each order, and what of that is in the tables: what is due follows from it.",
    (
        Column("trade_id", _TEXT, "The order", nullable=False),
        Column("account", _TEXT, "Whose order it is", nullable=False),
        Column("listed_status", _TEXT, "Status in the list", source="§10 trade_status"),
        Column("listed_created_at", _TIME, "When the list says it was placed (UTC)", source="§10 create_date"),
        Column("listed_modified_at", _TIME, "When the list says it last changed (UTC)", source="§10 modify_date"),
        Column("due_since", _TIME, "Since when the list says more than the tables (UTC); NULL: it does not"),
        Column("look_again_at", _TIME, "When it is read again whatever the list says (UTC); NULL: never"),
        Column("requested_at", _TIME, "When it was last handed out to be read (UTC)"),
        Column("fetched_at", _TIME, "When the last answer that settled it came (UTC)"),
        Column("outcome", _TEXT, "`answered`, `refused` (a business error) or `rejected` (could not be read)"),
        Column("code", _TEXT, "The gateway's code, where it refused"),
    ),
    key=("trade_id",),
    observed=("look_again_at", "requested_at", "fetched_at"),
    indexes=(("due_since",), ("look_again_at",), ("account", "listed_modified_at")),
)

ORDER_DAYS = Table(
    "ops",
    "order_days",
    "Days of orders that were compared with the order list, from end to end.",
    (
        Column("account", _TEXT, "Whose orders", nullable=False),
        Column("day", _TEXT, "Day on which they were placed, from midnight to midnight UTC", nullable=False),
        Column("listed", _BIG, "Orders that the list showed", nullable=False),
        Column("missing", _BIG, "Of these, not in the tables before", nullable=False),
        Column("differing", _BIG, "Of these, with another status or time of change in the tables", nullable=False),
        Column("unlisted", _BIG, "Orders of the day in the tables that the list did not show", nullable=False),
        Column("reason", _TEXT, "Why the list could not be read to its end, or an order not at all; NULL: all is done"),
        Column("reconciled_at", _TIME, "When (UTC)", nullable=False),
    ),
    key=("account", "day"),
)

WEBHOOK_INBOX = Table(
    "ops",
    "webhook_inbox",
    "Every push message that was acknowledged, once however often it came, and what became of it.",
    (
        Column("message_key", _TEXT, "SHA-256 of the raw body, in hex", nullable=False),
        Column(
            "received_at",
            _TIME,
            "When it first came (UTC); no two of one receiver are alike, so that it puts them in order",
            nullable=False,
        ),
        Column("sent_at", _TIME, "When it says that it was sent (UTC)", source="§Push timestamp"),
        Column("kind", _TEXT, "`product`, `order` or `unknown`, by what its data name", nullable=False),
        Column("subject", _TEXT, "The product or the order", source="§Push data.productId, data.trade_id_str"),
        Column(
            "event",
            _TEXT,
            "What it says has happened: `ADD`, `DELETE`, `PRICE_CHANGE`, the status of an order, or its message_type",
            nullable=False,
            source="§Push data.option, data.status",
        ),
        Column("body", _TEXT, "As it came", nullable=False),
        Column("deliveries", _BIG, "How often it came", nullable=False),
        Column(
            "state",
            _TEXT,
            "`waiting`, `handed_over` to a run, `done`, `unknown` (of a kind that nobody knows), `dead` (see reason)",
            nullable=False,
        ),
        Column("batch", _TEXT, "The tag `dropship/inbox` of the run that it was handed over to"),
        Column("handed_over_at", _TIME, "When (UTC)"),
        Column("attempts", _INT, "How often it was handed over", nullable=False),
        Column("not_before", _TIME, "After a run that failed: when it is handed over again (UTC)"),
        Column("reason", _TEXT, "Why it is dead, or why its last run did not do"),
        Column("settled_at", _TIME, "When it was done, dead, or first seen to be of an unknown kind (UTC)"),
    ),
    key=("message_key",),
    observed=("deliveries",),
    indexes=(("state", "kind", "received_at"), ("batch",)),
)

OPS_TABLES = (
    ORIGIN,
    FETCHES,
    RAW_FILES,
    SWEEPS,
    MISSED_MEMBERSHIPS,
    CALL_BUDGET,
    ACCOUNTS,
    REJECTED_RECORDS,
    WATCHED_PRODUCTS,
    WATCHED_OFFERS,
    HOLD_RULES,
    SKU_PRICES,
    SNAPSHOTS,
    TABLE_WRITES,
    PUBLISHES,
    SOUND_TABLES,
    SYNCS,
    ALERTS,
    ORDER_FETCHES,
    ORDER_DAYS,
    WEBHOOK_INBOX,
)
