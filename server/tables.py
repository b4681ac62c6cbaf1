"""All tables, by name: a process knows of those alone that it has imported."""

from __future__ import annotations

from sqlalchemy import Table

from domains.attribution import tables as attribution
from domains.business import tables as business
from domains.campaign import tables as campaign
from domains.identity import tables as identity
from domains.purchases import tables as purchases
from domains.referral import tables as referral
from domains.rewards import tables as rewards
from infrastructure.database.repeated_call import repeated_call
from infrastructure.database.sealing_key import sealing_key

_DOMAINS = (attribution, business, campaign, identity, purchases, referral, rewards)
_OWNED = (each for domain in _DOMAINS for each in vars(domain).values() if isinstance(each, Table))

EVERY_TABLE: tuple[Table, ...] = tuple(
    sorted((*_OWNED, repeated_call, sealing_key), key=lambda table: table.name)
)
