"""Who buys in the simulated Alibaba.com: the seeded buyer accounts, as a table.

The first one is the buyer of the guide's examples (guide §1), so that the documentation and the sandbox speak of
the same person. The others exist to be refused: each shows one thing that an account can lack. Tokens are no part
of a buyer: see `accounts.py`. Every name and address here is invented.
"""

from dataclasses import dataclass
from enum import Enum


class PaymentStanding(Enum):
    """What happens when a buyer pays through the API (guide §9)."""

    SAVED_METHOD = "saved_method"  # has paid before: PAY_SUCCESS
    NEVER_PAID = "never_paid"  # PAY_FAILED / NEVER_PAY_SUCCESS_IN_DROPSHIPER until paid once by hand at pay_url
    VERIFIED_FIRST = "verified_first"  # the bank verifies first: the order is `paying` for a while, then `paid`
    DECLINED = "declined"  # the card is refused: PAY_FAILED with a reason code


@dataclass(frozen=True, slots=True)
class Buyer:
    """One buyer account.

    `user_id` is the identity behind an access token. `trade_suffix` (9 digits) ends the id of every order of this
    buyer. `history_percent` is the share of the configured order count that the buyer's seeded history holds.
    """

    user_id: str
    login_id: str
    account: str
    account_id: str
    seller_id: str
    country: str
    full_name: str
    immutable_eid: str
    trade_suffix: str
    history_percent: int
    payment: PaymentStanding = PaymentStanding.SAVED_METHOD
    registered_in_china: bool = False  # a CNFM account: may browse, may not order (guide, error 110001)
    account_platform: str = "buyApp"


BUYERS: tuple[Buyer, ...] = (
    Buyer(
        user_id="200042362",
        login_id="buyer123",
        account="buyer@example.com",
        account_id="7063844",
        seller_id="1001",
        country="sg",
        full_name="Buyer Name",
        immutable_eid="8s0vvDIbRvbS9hSAK4bUtw==",
        trade_suffix="001028893",
        history_percent=100,
    ),
    Buyer(
        user_id="200057718",
        login_id="lakeshore_goods",
        account="orders@lakeshore-goods.example",
        account_id="7091526",
        seller_id="1002",
        country="us",
        full_name="Lakeshore Goods",
        immutable_eid="Qm7c0xS2uV1tKfW3bYpLrg==",
        trade_suffix="001031407",
        history_percent=10,
    ),
    Buyer(
        user_id="200063905",
        login_id="first_order",
        account="hello@first-order.example",
        account_id="7102277",
        seller_id="1003",
        country="us",
        full_name="First Order Studio",
        immutable_eid="T5nD8kEwZ0aHjVx2cRbMfQ==",
        trade_suffix="001036625",
        history_percent=0,
        payment=PaymentStanding.NEVER_PAID,
    ),
    Buyer(
        user_id="200068144",
        login_id="careful_bank",
        account="ops@careful-bank.example",
        account_id="7110483",
        seller_id="1004",
        country="gb",
        full_name="Careful Bank Trading",
        immutable_eid="Lw4pGy9XsB6eUoNz1dKvTA==",
        trade_suffix="001037812",
        history_percent=0,
        payment=PaymentStanding.VERIFIED_FIRST,
    ),
    Buyer(
        user_id="200071390",
        login_id="empty_card",
        account="office@empty-card.example",
        account_id="7113349",
        seller_id="1005",
        country="mx",
        full_name="Empty Card Imports",
        immutable_eid="Z3rJm6QhCf0iWtYk8uXbSg==",
        trade_suffix="001039254",
        history_percent=0,
        payment=PaymentStanding.DECLINED,
    ),
    Buyer(
        user_id="200079021",
        login_id="cnfm_buyer",
        account="caigou@cnfm.example",
        account_id="7120098",
        seller_id="1006",
        country="cn",
        full_name="CNFM Buyer",
        immutable_eid="H1vTq5RzOa7yMxPc4gLnDw==",
        trade_suffix="001040066",
        history_percent=0,
        registered_in_china=True,
    ),
)
