"""What decisions may see of the events of a batch, loaded in a constant number of statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from domains.attribution.model import Attribution, TouchQuery
from domains.attribution.service import AttributionService
from domains.business.model import Merchant
from domains.campaign.model import EventFacts, PurchaseFacts, Trigger
from domains.identity.service import IdentityService
from domains.purchases.model import Purchase
from domains.purchases.service import PurchasesService
from domains.referral.service import ReferralService
from domains.rewards.model import Interaction, InteractionKind
from infrastructure.database.transaction import Transaction
from vocabulary.amounts import multiply
from vocabulary.ids import IdentityGroupId, PurchaseId

_SUNDAY_FIRST = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedEvent:
    """An event, what decisions may see of it, and the same as it is kept with them."""

    interaction: Interaction
    facts: EventFacts

    def to_document(self) -> dict[str, object]:
        purchase = self.facts.purchase
        return {
            "triggers": sorted(self.facts.triggers),
            "chain": [str(person) for person in self.facts.chain],
            "purchase": None
            if purchase is None
            else {
                "amount": format(purchase.amount, "f"),
                "subtotal": None if purchase.subtotal is None else format(purchase.subtotal, "f"),
                "currency": purchase.currency,
            },
            "context": _kept(self.facts.context),
        }


class EventFactsLoader:
    def __init__(
        self,
        *,
        purchases: PurchasesService,
        referral: ReferralService,
        attribution: AttributionService,
        identity: IdentityService,
    ) -> None:
        self._purchases = purchases
        self._referral = referral
        self._attribution = attribution
        self._identity = identity

    async def load(
        self,
        tx: Transaction,
        merchant: Merchant,
        interactions: Sequence[Interaction],
        *,
        depth_max: int,
    ) -> list[LoadedEvent]:
        """What decisions may see of the events, in their order: four statements."""
        purchases = await self._purchases_of(tx, interactions)
        chains = await self._referral.chains_as_of(
            tx,
            merchant.merchant_id,
            [(each.identity_group_id, each.event_time) for each in interactions],
            max(depth_max, 1),
        )
        touches = await self._attribution.touches_as_of(
            tx,
            [
                TouchQuery(
                    merchant_id=merchant.merchant_id,
                    identity_group_id=each.identity_group_id,
                    referrer_group_id=chain[0] if chain else None,
                    time=each.event_time,
                )
                for each, chain in zip(interactions, chains, strict=True)
            ],
            merchant.look_back,
        )
        wallets = await self._identity.wallets_of(
            tx, {each.identity_group_id for each in interactions}
        )
        return [
            _loaded(
                each,
                # Whoever brought this person is credited only if their link was followed
                # within the look-back; then everybody above takes part.
                chain if touch.touched_by_referrer else [],
                touch,
                purchases.get(each.purchase_id) if each.purchase_id else None,
                wallets.get(each.identity_group_id),
            )
            for each, chain, touch in zip(interactions, chains, touches, strict=True)
        ]

    async def _purchases_of(
        self, tx: Transaction, interactions: Sequence[Interaction]
    ) -> dict[PurchaseId, Purchase]:
        ids = [each.purchase_id for each in interactions if each.purchase_id is not None]
        if not ids:
            return {}
        return {each.purchase_id: each for each in await self._purchases.list_some(tx, ids)}


def _loaded(
    interaction: Interaction,
    chain: Sequence[IdentityGroupId],
    attribution: Attribution,
    purchase: Purchase | None,
    wallet: str | None,
) -> LoadedEvent:
    context: dict[str, Any] = {
        "attribution": _attribution_context(chain, attribution),
        "user": {
            "identityGroupId": str(interaction.identity_group_id),
            **({"walletAddress": wallet} if wallet else {}),
        },
        "time": time_context(interaction.event_time),
    }
    facts: PurchaseFacts | None = None
    if purchase is not None:
        assert purchase.total is not None, purchase.purchase_id
        assert purchase.currency is not None, purchase.purchase_id
        subtotal = _subtotal(purchase)
        facts = PurchaseFacts(amount=purchase.total, subtotal=subtotal, currency=purchase.currency)
        context["purchase"] = _purchase_context(purchase, subtotal)
    return LoadedEvent(
        interaction=interaction,
        facts=EventFacts(
            triggers=triggers_of(interaction.kind, is_referred=bool(chain)),
            event_time=interaction.event_time,
            person=interaction.identity_group_id,
            chain=tuple(chain),
            purchase=facts,
            context=context,
            # An order in the currency of the token's peg needs no rate. Any other one waits.
            rates={},
        ),
    )


def triggers_of(kind: InteractionKind, *, is_referred: bool) -> frozenset[Trigger]:
    """The triggers that an event fires."""
    match kind:
        case InteractionKind.REFERRAL:
            return frozenset({Trigger.REFERRAL})
        case InteractionKind.PURCHASE if is_referred:
            return frozenset({Trigger.PURCHASE, Trigger.REFERRAL_PURCHASE})
        case InteractionKind.PURCHASE:
            return frozenset({Trigger.PURCHASE})


def time_context(instant: datetime) -> dict[str, object]:
    """When an event happened, in UTC; Sunday is day 0."""
    utc = instant.astimezone(UTC)
    return {
        "dayOfWeek": Decimal(utc.isoweekday() % _SUNDAY_FIRST),
        "hourOfDay": Decimal(utc.hour),
        "date": utc.date().isoformat(),
        "timestamp": Decimal(int(utc.timestamp())),
    }


def _attribution_context(
    chain: Sequence[IdentityGroupId], attribution: Attribution
) -> dict[str, object]:
    context: dict[str, object] = {}
    if chain:
        context["referrerIdentityGroupId"] = str(chain[0])
    touch = attribution.touch
    if touch is not None:
        context["source"] = touch.source.value
        context["touchpointId"] = str(touch.touchpoint_id)
        if touch.utm is not None:
            context |= {
                name: value
                for name, value in {
                    "utmSource": touch.utm.source,
                    "utmMedium": touch.utm.medium,
                    "utmCampaign": touch.utm.campaign,
                    "utmTerm": touch.utm.term,
                    "utmContent": touch.utm.content,
                }.items()
                if value
            }
    return context


def _subtotal(purchase: Purchase) -> Decimal | None:
    if not purchase.items:
        return None
    return sum(
        (multiply(item.price, Decimal(item.quantity)) for item in purchase.items), Decimal(0)
    )


def _purchase_context(purchase: Purchase, subtotal: Decimal | None) -> dict[str, object]:
    context: dict[str, object] = {
        "orderId": purchase.order_reference,
        "amount": purchase.total,
        "currency": purchase.currency,
        "items": [
            {
                "productId": item.product_reference,
                "name": item.name,
                "quantity": Decimal(item.quantity),
                "unitPrice": item.price,
                "totalPrice": multiply(item.price, Decimal(item.quantity)),
            }
            for item in purchase.items
        ],
    }
    if subtotal is not None:
        context["subtotal"] = subtotal
    return context


def _kept(value: object) -> object:
    match value:
        case Decimal():
            return format(value, "f")
        case Mapping():
            return {key: _kept(each) for key, each in value.items()}
        case list():
            return [_kept(each) for each in value]
        case _:
            return value
