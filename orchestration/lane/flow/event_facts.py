"""What decisions may see of the events of a batch, loaded in a constant number of statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from domains.attribution.model import AttributedTouch, TouchQuery
from domains.attribution.service import AttributionService
from domains.business.model import Merchant
from domains.campaign.model import EventFacts, ExchangeRate, Pair, PurchaseFacts, Trigger
from domains.campaign.service import RatesService
from domains.identity.service import IdentityService
from domains.purchases.model import OrderItem, Purchase
from domains.referral.service import ReferralService
from domains.rewards.model import Interaction, InteractionKind
from infrastructure.database.transaction import Transaction
from vocabulary.exact import multiply
from vocabulary.ids import IdentityGroupId, InteractionId

_SUNDAY_FIRST = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneEvent:
    """An interaction with what it leaves to others: whose it is, and when it happened.

    A purchase has its order's buyer and time, a referral its link's `referrer`.
    """

    interaction: Interaction
    person: IdentityGroupId
    event_time: datetime
    purchase: Purchase | None
    referrer: IdentityGroupId | None

    def tolerant_time(self, tolerance: timedelta) -> datetime:
        """As of when somebody may have brought the person of whom nobody had as of the event.

        A shop's clock may be behind ours, and its times cut to whole seconds. What came after
        its first report did not lead to an order.
        """
        if self.purchase is None:
            return self.event_time
        return max(self.event_time, min(self.event_time + tolerance, self.purchase.report_time))

    @property
    def lane_key(self) -> tuple[datetime, bool, str]:
        """The order of a lane: by time, purchases first, then by name."""
        name = self.interaction.order_reference or self.interaction.event_reference
        return self.event_time, self.purchase is None, name


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedEvent:
    """An event, what decisions may see of it, and the same as it is kept with them."""

    event: LaneEvent
    facts: EventFacts
    credit_time: datetime

    @property
    def interaction(self) -> Interaction:
        return self.event.interaction

    def to_document(self) -> dict[str, object]:
        purchase = self.facts.purchase
        return {
            "triggers": sorted(self.facts.triggers),
            "person": str(self.facts.person),
            "event_time": self.facts.event_time.isoformat(),
            "credit_time": self.credit_time.isoformat(),
            "chain": [str(person) for person in self.facts.chain],
            "purchase": None
            if purchase is None
            else {
                "amount": format(purchase.amount, "f"),
                "subtotal": None if purchase.subtotal is None else format(purchase.subtotal, "f"),
                "currency": purchase.currency,
            },
            "rates": {str(pair): rate.to_document() for pair, rate in self.facts.rates.items()},
            "context": _kept(self.facts.context),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Credit:
    """The people above a person, as of a time, and what brought the person."""

    time: datetime
    chain: Sequence[IdentityGroupId]
    touch: AttributedTouch | None


def _more(exact: _Credit, tolerant: _Credit) -> _Credit:
    """What the tolerance adds where nobody is credited: it takes nothing away."""
    if tolerant.chain:
        return tolerant
    return replace(tolerant, touch=exact.touch or tolerant.touch)


class EventFactsLoader:
    def __init__(
        self,
        *,
        referral: ReferralService,
        attribution: AttributionService,
        identity: IdentityService,
        rates: RatesService,
    ) -> None:
        self._referral = referral
        self._attribution = attribution
        self._identity = identity
        self._rates = rates

    async def load(
        self,
        tx: Transaction,
        merchant: Merchant,
        events: Sequence[LaneEvent],
        *,
        depth_max: int,
    ) -> list[LoadedEvent]:
        """What decisions may see of the events, in their order.

        Three statements; two more for those that nobody is credited with as of their time, where
        the merchant's tolerance of clocks lets us look at a later one; one more when an order is
        in another currency than the merchant's rewards.
        """
        depth_max = max(depth_max, 1)
        credited = await self._credits_of(
            tx, merchant, [(each, each.event_time) for each in events], depth_max=depth_max
        )
        # Whoever is credited as of the event itself stays so, whatever happened a moment later.
        later = [
            (place, (each, time))
            for place, each in enumerate(events)
            if not credited[place].chain
            and (time := each.tolerant_time(merchant.clock_tolerance)) > each.event_time
        ]
        if later:
            found = await self._credits_of(
                tx, merchant, [asked for _, asked in later], depth_max=depth_max
            )
            for (place, _), credit in zip(later, found, strict=True):
                credited[place] = _more(credited[place], credit)
        wallets = await self._identity.wallets_of(tx, {each.person for each in events})
        rates = await self._rates_of(tx, merchant, events)
        return [
            _loaded(
                each,
                credit,
                wallets.get(each.person),
                rates.get(each.interaction.interaction_id, {}),
            )
            for each, credit in zip(events, credited, strict=True)
        ]

    async def _credits_of(
        self,
        tx: Transaction,
        merchant: Merchant,
        asked: Sequence[tuple[LaneEvent, datetime]],
        *,
        depth_max: int,
    ) -> list[_Credit]:
        """Who is credited with each event as of a time, and what brought its person."""
        above = await self._referral.chains_as_of(
            tx,
            merchant.merchant_id,
            # A referral is about its own link, whoever else brought the person in that instant.
            [(each.referrer or each.person, time) for each, time in asked],
            depth_max,
        )
        chains = [
            _chain(each, people, depth_max=depth_max)
            for (each, _), people in zip(asked, above, strict=True)
        ]
        touches = await self._attribution.touches_as_of(
            tx,
            [
                TouchQuery(
                    merchant_id=merchant.merchant_id,
                    identity_group_id=each.person,
                    referrer_group_id=chain[0] if chain else None,
                    time=time,
                )
                for (each, time), chain in zip(asked, chains, strict=True)
            ],
            merchant.look_back,
        )
        return [
            _Credit(
                time=time,
                # Whoever brought this person is credited only if their link was followed
                # within the look-back; then everybody above takes part.
                chain=chain if touch.touched_by_referrer or each.referrer is not None else [],
                touch=touch.touch,
            )
            for (each, time), chain, touch in zip(asked, chains, touches, strict=True)
        ]

    async def _rates_of(
        self, tx: Transaction, merchant: Merchant, events: Sequence[LaneEvent]
    ) -> dict[InteractionId, dict[Pair, ExchangeRate]]:
        """The rates that hold for orders in another currency than that of the rewards."""
        peg = merchant.reward_token.peg_currency
        foreign = [
            (each.interaction.interaction_id, Pair(base=currency, quote=peg), each.event_time)
            for each in events
            if each.purchase is not None
            and (currency := each.purchase.currency) is not None
            and currency != peg
        ]
        found = await self._rates.as_of(tx, [(pair, time) for _, pair, time in foreign])
        return {
            interaction_id: {pair: rate}
            for (interaction_id, pair, _), rate in zip(foreign, found, strict=True)
            if rate is not None
        }


def _chain(
    event: LaneEvent, above: Sequence[IdentityGroupId], *, depth_max: int
) -> list[IdentityGroupId]:
    """The people above, nearest first. Nobody is above themselves."""
    if event.referrer is None:
        return list(above)
    chain = [event.referrer, *above][:depth_max]
    return chain[: chain.index(event.person)] if event.person in chain else chain


def _loaded(
    event: LaneEvent,
    credit: _Credit,
    wallet: str | None,
    rates: Mapping[Pair, ExchangeRate],
) -> LoadedEvent:
    context: dict[str, Any] = {
        "attribution": _attribution_context(credit),
        "user": {
            "identityGroupId": str(event.person),
            **({"walletAddress": wallet} if wallet else {}),
        },
        "time": time_context(event.event_time),
    }
    facts: PurchaseFacts | None = None
    purchase = event.purchase
    if purchase is not None:
        assert purchase.total is not None, purchase.purchase_id
        assert purchase.currency is not None, purchase.purchase_id
        facts = PurchaseFacts(
            amount=purchase.total,
            subtotal=purchase.subtotal,
            has_lines=bool(purchase.items),
            currency=purchase.currency,
        )
        context["purchase"] = _purchase_context(purchase)
    return LoadedEvent(
        event=event,
        credit_time=credit.time,
        facts=EventFacts(
            triggers=triggers_of(event.interaction.kind, is_referred=bool(credit.chain)),
            event_time=event.event_time,
            person=event.person,
            chain=tuple(credit.chain),
            purchase=facts,
            context=context,
            rates=rates,
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


def _attribution_context(credit: _Credit) -> dict[str, object]:
    context: dict[str, object] = {}
    if credit.chain:
        context["referrerIdentityGroupId"] = str(credit.chain[0])
    touch = credit.touch
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


def _purchase_context(purchase: Purchase) -> dict[str, object]:
    context: dict[str, object] = {
        "orderId": purchase.order_reference,
        "amount": purchase.total,
        "currency": purchase.currency,
        "items": [_line_context(item) for item in purchase.items],
    }
    if purchase.subtotal is not None:
        context["subtotal"] = purchase.subtotal
    return context


def _line_context(item: OrderItem) -> dict[str, object]:
    context: dict[str, object] = {}
    if item.product_reference:
        context["productId"] = item.product_reference
    if item.name:
        context["name"] = item.name
    if item.quantity is not None:
        context["quantity"] = Decimal(item.quantity)
    if item.price is not None:
        context["unitPrice"] = item.price
    if item.quantity is not None and item.price is not None:
        context["totalPrice"] = multiply(item.price, Decimal(item.quantity))
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
