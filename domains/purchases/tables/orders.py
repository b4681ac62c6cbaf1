"""The order row, which webhook, claim and worker share."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from domains.purchases.model import OrderState
from infrastructure.database.metadata import metadata

_REPORTED = text("purchase_id IS NOT NULL")
_WAITS = text("needed_rate IS NOT NULL")
_RATED = text("needed_rate IS NOT NULL AND order_time IS NOT NULL")
_DUE = text("due_time IS NOT NULL AND ready_round IS NULL")

# One row is the only truth about an order: what the shop reported, what is known about its
# buyer and its time, and whether its rewards are decided. Webhook, claim and worker each write it
# first and read the others' part from the row that they wrote: a look into a second table would
# use the snapshot from before the wait for the row.
shop_order = Table(
    "shop_order",
    metadata,
    Column("merchant_id", Uuid, primary_key=True),
    Column("order_reference", Text(collation="C"), primary_key=True),
    Column("create_time", DateTime(timezone=True), nullable=False),
    # What the shop reported. All empty until it does.
    Column("purchase_id", Uuid, unique=True),
    Column("state", Text),
    Column("event_time", DateTime(timezone=True)),
    Column("body_hash", LargeBinary),
    # When the order was placed. Fixed once its rewards are decided.
    Column("order_time", DateTime(timezone=True)),
    # Whether the shop named the order's time, or it is that of the first report.
    Column("order_time_stated", Boolean, nullable=False, server_default=text("false")),
    # Which report the rest is from: the customer, the total, the lines.
    Column("content_key", Text(collation="C"), nullable=False, server_default=""),
    Column("customer_reference", Text),
    Column("total", Numeric),
    Column("currency", Text),
    # The lines are one value: replaced as a whole, read as a whole.
    Column("items", JSONB),
    Column("generation", Integer, nullable=False, server_default="1"),
    # Whether this generation of the order was cancelled or refunded.
    Column("voided", Boolean, nullable=False, server_default=text("false")),
    # Evidence about the buyer; `domains.purchases.model.evidence` says who that makes it.
    # The SHA-256 of every token that reports have carried.
    Column("token_digests", ARRAY(LargeBinary), nullable=False, server_default="{}"),
    # How often the order was claimed. A report that has seen fewer decides nothing.
    Column("claim_count", Integer, nullable=False, server_default="0"),
    # The earliest claim whose token a report has carried.
    Column("claim_group_id", Uuid),
    Column("claim_time", DateTime(timezone=True)),
    Column("claim_digest", LargeBinary),
    # The person of the client id in the newest report that carries one.
    Column("hint_group_id", Uuid),
    Column("hint_key", Text(collation="C"), nullable=False, server_default=""),
    # The customer whom a report named first, and who that was known to be then.
    Column("guess_customer", Text),
    Column("guess_group_id", Uuid),
    Column(
        "identity_group_id",
        Uuid,
        Computed("COALESCE(claim_group_id, hint_group_id, guess_group_id)", persisted=True),
    ),
    Column(
        "link",
        Text,
        Computed(
            "CASE WHEN claim_group_id IS NOT NULL THEN 'claim'"
            " WHEN hint_group_id IS NOT NULL THEN 'client'"
            " WHEN guess_group_id IS NOT NULL THEN 'customer' END",
            persisted=True,
        ),
    ),
    # The newest generation that has an interaction; 0: none has.
    Column("interaction_generation", Integer, nullable=False, server_default="0"),
    # The generation whose buyer and time are fixed, because it is decided or about to be; and
    # what that was before, for the case that it is not decided after all.
    Column("decided_generation", Integer, nullable=False, server_default="0"),
    Column("decided_before", Integer, nullable=False, server_default="0"),
    # From when on the interaction may be decided. Empty: there is nothing to decide.
    Column("due_time", DateTime(timezone=True)),
    # The round of the merchant's lane that the order is decided in, once it is due.
    Column("ready_round", BigInteger),
    # The rate that the order waits for, as in `USD/EUR`.
    Column("needed_rate", Text(collation="C")),
    CheckConstraint(
        "num_nulls(purchase_id, state, event_time, body_hash, order_time, items) IN (0, 6)",
        name="reported_whole",
    ),
    CheckConstraint(
        "num_nulls(claim_group_id, claim_time, claim_digest) IN (0, 3)", name="claim_whole"
    ),
    CheckConstraint("(hint_group_id IS NULL) = (hint_key = '')", name="hint_whole"),
    CheckConstraint(
        "guess_group_id IS NULL OR guess_customer IS NOT NULL", name="guesses_name_a_customer"
    ),
    CheckConstraint(
        "state <> 'confirmed' OR (total IS NOT NULL AND currency IS NOT NULL)",
        name="confirmed_orders_have_a_total",
    ),
    CheckConstraint("total >= 0", name="total_not_negative"),
    CheckConstraint("order_reference <> ''", name="order_reference_present"),
    CheckConstraint(
        "state IN ({})".format(", ".join(f"'{state}'" for state in OrderState)), name="state_known"
    ),
    CheckConstraint("interaction_generation <= generation", name="interactions_of_known_lives"),
    CheckConstraint("decided_generation <= interaction_generation", name="decided_interactions"),
    CheckConstraint("due_time IS NULL OR interaction_generation > 0", name="due_interactions"),
    CheckConstraint("ready_round IS NULL OR due_time IS NOT NULL", name="ready_once_due"),
    CheckConstraint("needed_rate IS NULL OR due_time IS NOT NULL", name="rates_for_what_waits"),
    # Serves list_purchases(): the ids grow with time.
    Index("ix_shop_order_purchase", "merchant_id", "purchase_id", postgresql_where=_REPORTED),
    # Serves the cleaning of claims that no order ever met.
    Index("ix_shop_order_waiting", "create_time", postgresql_where=text("purchase_id IS NULL")),
    # Serves promote_due() and whoever asks when a lane has something to do.
    Index("ix_shop_order_due", "merchant_id", "due_time", postgresql_where=_DUE),
    # Serves fix_ready(): the order of a lane, a round at a time.
    Index(
        "ix_shop_order_ready",
        "merchant_id",
        "ready_round",
        "order_time",
        "order_reference",
        postgresql_where=text("ready_round IS NOT NULL"),
    ),
    # Serves release_for_rate(). By its time get_lane() is kept from walking other shops' orders.
    Index("ix_shop_order_needed_rate", "needed_rate", "order_time", postgresql_where=_RATED),
    # Serves get_lane().
    Index(
        "ix_shop_order_rates", "merchant_id", "needed_rate", "order_time", postgresql_where=_WAITS
    ),
    postgresql_with={"fillfactor": 80},
)
