"""By which ways the orders' rows are found, and by whom."""

from __future__ import annotations

from sqlalchemy import Index, text

_PROVEN = text(
    "customer_reference IS NOT NULL AND COALESCE(claim_group_id, hint_group_id) IS NOT NULL"
)
_REPORTED = text("purchase_id IS NOT NULL")
_WAITS = text("needed_rate IS NOT NULL")
_RATED = text("needed_rate IS NOT NULL AND order_time IS NOT NULL")
_DUE = text("due_time IS NOT NULL AND ready_round IS NULL")

ORDER_INDEXES = (
    # Serves list_of_merchant(): the ids grow with time. Only what names this collation can be
    # planned by it.
    Index(
        "ix_shop_order_state",
        "state",
        "merchant_id",
        "purchase_id",
        postgresql_ops={"state": 'COLLATE "C"'},
        postgresql_where=_REPORTED,
    ),
    # Serves set_tried(), which asks for the newest orders.
    Index("ix_shop_order_purchase", "merchant_id", "purchase_id", postgresql_where=_REPORTED),
    # Serves whoever asks who a customer is. Those whose buyer is a guess themselves tell nothing.
    # No other index has its order: were it that of the purchases' ids, a plan for few customers
    # would walk all purchases in its place.
    Index(
        "ix_shop_order_customer",
        "merchant_id",
        "customer_reference",
        "first_report_time",
        "order_reference",
        postgresql_where=_PROVEN,
    ),
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
)
