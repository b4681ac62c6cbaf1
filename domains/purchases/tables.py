"""The order row, which webhook and claim share, and the inbox of deliveries."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from domains.purchases.model import DeliveryState, Link, OrderState
from infrastructure.database.metadata import metadata

# One row holds both halves of an order: what the shop reported, and who claimed it. Webhook
# and claim each upsert it first and read the other's half from the row that they wrote, so
# that one of the two always sees the other. (A look into a second table would use the
# snapshot from before the wait for the row.)
shop_order = Table(
    "shop_order",
    metadata,
    Column("merchant_id", Uuid, primary_key=True),
    Column("order_reference", Text, primary_key=True),
    Column("create_time", DateTime(timezone=True), nullable=False),
    # What the shop reported. All empty until it does.
    Column("purchase_id", Uuid, unique=True),
    Column("state", Text),
    Column("event_time", DateTime(timezone=True)),
    Column("body_hash", LargeBinary),
    Column("order_time", DateTime(timezone=True)),
    # Whether the shop named the order's time, or it is that of the first report.
    Column("order_time_stated", Boolean, nullable=False, server_default=text("false")),
    # Which report the rest is from: the customer, the total, the lines.
    Column("content_key", Text(collation="C"), nullable=False, server_default=""),
    Column("customer_reference", Text),
    Column("token_digest", LargeBinary),
    Column("total", Numeric),
    Column("currency", Text),
    # The lines are one value: replaced as a whole, read as a whole.
    Column("items", JSONB),
    Column("generation", Integer, nullable=False, server_default="1"),
    # Whether this generation of the order was cancelled or refunded.
    Column("voided", Boolean, nullable=False, server_default=text("false")),
    # Who bought, and what told us.
    Column("identity_group_id", Uuid),
    Column("link", Text),
    Column("link_time", DateTime(timezone=True)),
    # Claims that wait for the order: the SHA-256 of the token that each one showed, by whom,
    # when. Empty once the order is reported.
    Column("claim_digests", ARRAY(LargeBinary), nullable=False, server_default="{}"),
    Column("claim_groups", ARRAY(Uuid), nullable=False, server_default="{}"),
    Column("claim_times", ARRAY(DateTime(timezone=True)), nullable=False, server_default="{}"),
    CheckConstraint(
        "num_nulls(purchase_id, state, event_time, body_hash, order_time, token_digest, items)"
        " IN (0, 7)",
        name="reported_whole",
    ),
    CheckConstraint("num_nulls(identity_group_id, link, link_time) IN (0, 3)", name="linked_whole"),
    CheckConstraint(
        "state <> 'confirmed' OR (total IS NOT NULL AND currency IS NOT NULL)",
        name="confirmed_orders_have_a_total",
    ),
    CheckConstraint("total >= 0", name="total_not_negative"),
    CheckConstraint("order_reference <> ''", name="order_reference_present"),
    CheckConstraint(
        "state IN ({})".format(", ".join(f"'{state}'" for state in OrderState)), name="state_known"
    ),
    CheckConstraint(
        "link IN ({})".format(", ".join(f"'{link}'" for link in Link)), name="link_known"
    ),
    CheckConstraint(
        "cardinality(claim_digests) = cardinality(claim_groups)"
        " AND cardinality(claim_digests) = cardinality(claim_times)",
        name="claims_whole",
    ),
    # Serves list_purchases(): the ids grow with time.
    Index(
        "ix_shop_order_purchase",
        "merchant_id",
        "purchase_id",
        postgresql_where=text("purchase_id IS NOT NULL"),
    ),
    # Serves the cleaning of claims that no order ever met.
    Index("ix_shop_order_waiting", "create_time", postgresql_where=text("purchase_id IS NULL")),
)

delivery = Table(
    "delivery",
    metadata,
    # The ids grow with time, so the key lists a merchant's deliveries in their order.
    Column("merchant_id", Uuid, primary_key=True),
    Column("delivery_id", Uuid, primary_key=True),
    Column("platform", Text, nullable=False),
    Column("event_reference", Text, nullable=False),
    Column("headers", JSONB, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("state", Text, nullable=False),
    Column("failure", Text, nullable=False, server_default=""),
    Column("try_count", Integer, nullable=False, server_default="1"),
    Column("receive_time", DateTime(timezone=True), nullable=False),
    Column("retry_time", DateTime(timezone=True)),
    # A delivery that repeats another changes nothing.
    UniqueConstraint("merchant_id", "platform", "event_reference", name="uq_delivery_event"),
    CheckConstraint(
        "state IN ({})".format(", ".join(f"'{state}'" for state in DeliveryState)),
        name="state_known",
    ),
    CheckConstraint("(state = 'failed') = (retry_time IS NOT NULL)", name="failed_are_retried"),
    # Serves whoever looks for what failed.
    Index(
        "ix_delivery_unapplied",
        "merchant_id",
        "delivery_id",
        postgresql_where=text("state IN ('failed', 'dead')"),
    ),
    # Serves claim_failed().
    Index("ix_delivery_retry", "retry_time", postgresql_where=text("state = 'failed'")),
    # Serves forget_old().
    Index("ix_delivery_receive_time", "receive_time", postgresql_using="brin"),
)
