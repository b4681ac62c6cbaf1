"""The order row, which webhook, claim and worker share."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Computed,
    DateTime,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from domains.purchases.tables.order_indexes import ORDER_INDEXES
from domains.purchases.tables.order_rules import ORDER_RULES
from infrastructure.database.metadata import metadata
from infrastructure.database.rights import rows

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
    # When the first of its reports was received, by whatever try it was applied. Nothing that
    # came later led to the order.
    Column("first_report_time", DateTime(timezone=True)),
    Column("state", Text),
    Column("event_time", DateTime(timezone=True)),
    Column("body_hash", LargeBinary),
    # When the order was placed. While the order is fixed that does not change: another time that
    # is heard then is kept beside it, and counts if the order is not decided after all.
    Column("order_time", DateTime(timezone=True)),
    Column("heard_time", DateTime(timezone=True)),
    # Whether the shop named the order's time, or it is that of the first report.
    Column("order_time_stated", Boolean, nullable=False, server_default=text("false")),
    # Which report the total is from.
    Column("content_key", Text(collation="C"), nullable=False, server_default=""),
    Column("total", Numeric),
    Column("currency", Text),
    # The customer and the lines, and of each which report it is from: that of the total if it
    # says nothing else, none if it is empty. What a newer report leaves out stays.
    Column("customer_reference", Text),
    Column("customer_key", Text(collation="C")),
    # The lines are one value: replaced as a whole, read as a whole.
    Column("items", JSONB),
    Column("items_key", Text(collation="C")),
    # What all lines come to, also those that are not kept, and in which currency. Empty: it is not
    # known; of the currency: it is that of the total.
    Column("subtotal", Numeric),
    Column("items_currency", Text),
    Column("generation", Integer, nullable=False, server_default="1"),
    # Whether this generation of the order was cancelled or refunded.
    Column("voided", Boolean, nullable=False, server_default=text("false")),
    # Evidence about the buyer; `domains.purchases.model.evidence` says who that makes it. It is
    # kept while the order is fixed as well: what comes then counts if it is not decided after all.
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
    # When the first report that names a customer was received, and who that was known to be then.
    Column("guess_time", DateTime(timezone=True)),
    Column("guess_group_id", Uuid),
    Column(
        "identity_group_id",
        Uuid,
        Computed(
            "COALESCE(fixed_group_id, claim_group_id, hint_group_id, guess_group_id)",
            persisted=True,
        ),
    ),
    Column(
        "link",
        Text,
        Computed(
            "CASE WHEN fixed_group_id IS NOT NULL THEN fixed_link"
            " WHEN claim_group_id IS NOT NULL THEN 'claim'"
            " WHEN hint_group_id IS NOT NULL THEN 'client'"
            " WHEN guess_group_id IS NOT NULL THEN 'customer' END",
            persisted=True,
        ),
    ),
    # The newest generation that has an interaction; 0: none has.
    Column("interaction_generation", Integer, nullable=False, server_default="0"),
    # The newest generation that was decided, and the one that a lane is about to decide; 0: none.
    # As long as there is either, the buyer is who it was then.
    Column("decided_generation", Integer, nullable=False, server_default="0"),
    Column("fixed_generation", Integer, nullable=False, server_default="0"),
    Column("fixed_group_id", Uuid),
    Column("fixed_link", Text),
    Column("fixed_report_time", DateTime(timezone=True)),
    # From when on the interaction may be decided. Empty: there is nothing to decide.
    Column("due_time", DateTime(timezone=True)),
    # The round of the merchant's lane that the order is decided in, once it is due.
    Column("ready_round", BigInteger),
    # The rate that the order waits for, as in `USD/EUR`.
    Column("needed_rate", Text(collation="C")),
    *(CheckConstraint(rule, name=name) for name, rule in ORDER_RULES.items()),
    *ORDER_INDEXES,
    postgresql_with={"fillfactor": 80},
    # Those that no report met are deleted.
    info=rows(written_once=("merchant_id", "order_reference", "create_time"), are_deleted=True),
)
