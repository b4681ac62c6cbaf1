"""Sends messages over connections that may be cut, and remembers who sent what when."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from domains.attribution.model import Utm
from domains.campaign.errors import TransitionInvalidError
from domains.campaign.model import Campaign, ExchangeRate, Pair
from domains.campaign.model.rate import MANUAL
from infrastructure.database.engine import create_engine, database_of
from infrastructure.database.failures import is_away
from orchestration.arrival import flow as arriving
from orchestration.purchase_linking import flow as linking
from orchestration.purchase_webhook import platforms
from orchestration.purchase_webhook.errors import DeliveryPostponedError
from orchestration.purchase_webhook.flow import ReceivedDelivery
from tests.simulation.clock import SharedClock
from tests.simulation.history import (
    Arrival,
    AtWork,
    CampaignChange,
    Claim,
    Message,
    RateNews,
    Report,
    Rest,
    time_of,
)
from tests.support.flows import Flows, flows_on
from tests.support.shop import Shop, sign
from vocabulary.ids import ExchangeRateId, MerchantId

COUNT = 8
ATTEMPTS_MAX = 60
PAUSE_SECONDS = 0.02
RESTS_MAX = 60
REST_SECONDS = 0.03
LOOKS_MAX = 40
LOOK_SECONDS = 0.004
KEPT = "kept for later"
CHANGES = {
    "publish": Campaign.publish,
    "pause": Campaign.pause,
    "resume": Campaign.resume,
    "archive": Campaign.archive,
}
_NOT_BEGUN = text(
    """
    SELECT count(*) FROM shop_order
    WHERE merchant_id = :merchant_id AND order_reference = :order AND due_time <= :now
      AND (ready_round IS NULL OR decided_generation < generation)
    """
)


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One try to send a message. Whatever its caller wrote meanwhile is the message's effect."""

    merchant_id: MerchantId
    message: Message
    begin: datetime
    end: datetime
    said: str = ""
    is_refused: bool = False


@dataclass(slots=True, kw_only=True)
class Caller:
    """Whoever sends one message at a time, over a connection with a name."""

    name: str
    engine: AsyncEngine
    flows: Flows
    attempts: list[Attempt] = field(default_factory=list)

    async def send(self, shop: Shop, message: Message) -> None:
        """Sends a message until it is answered. Doing it twice must be doing it once."""
        for _ in range(ATTEMPTS_MAX):
            attempt = Attempt(
                merchant_id=shop.merchant_id, message=message, begin=_now(), end=_now()
            )
            self.attempts.append(attempt)
            try:
                attempt.said = await _send(shop.on(self.flows), message)
            except Exception as failure:  # noqa: BLE001 - whatever it is, the sender sends again
                attempt.said = f"{type(failure).__name__}: {failure.__cause__ or failure}"
                attempt.is_refused = not is_away(failure)
                await asyncio.sleep(PAUSE_SECONDS)
            else:
                return
            finally:
                attempt.end = _now()
        raise TimeoutError(str(message))


class Callers:
    """Several callers, each sending one message at a time."""

    def __init__(self, callers: Sequence[Caller]) -> None:
        self._callers = callers
        self._free: asyncio.Queue[Caller] = asyncio.Queue()
        for caller in callers:
            self._free.put_nowait(caller)

    async def send(self, shop: Shop, *messages: Message) -> None:
        """Sends messages at once, each over a connection of its own."""
        if len(messages) == 1:
            await self._send(shop, messages[0])
            return
        async with asyncio.TaskGroup() as group:
            for message in messages:
                group.create_task(self._send(shop, message))

    async def _send(self, shop: Shop, message: Message) -> None:
        caller = await self._free.get()
        try:
            await caller.send(shop, message)
        finally:
            self._free.put_nowait(caller)

    def message_at(self, writer: str, instant: datetime) -> Message | None:
        """What a caller was sending at a time."""
        for caller in self._callers:
            if caller.name == writer:
                for attempt in caller.attempts:
                    if attempt.begin <= instant <= attempt.end:
                        return attempt.message
        return None

    def kept_for_later(self, merchant_id: UUID) -> set[str]:
        """The orders of reports that a merchant's shop was told to be kept."""
        return {
            attempt.message.order
            for attempt in self.attempts_at(merchant_id)
            if isinstance(attempt.message, Report) and attempt.said == KEPT
        }

    @property
    def sent_count(self) -> int:
        """How many messages were sent, those that were sent again counted again."""
        return sum(len(caller.attempts) for caller in self._callers)

    def attempts_at(self, merchant_id: UUID) -> list[Attempt]:
        """What was sent to a merchant, in the order in which it was."""
        found = [
            attempt
            for caller in self._callers
            for attempt in caller.attempts
            if attempt.merchant_id == merchant_id
        ]
        return sorted(found, key=lambda attempt: attempt.begin)

    def refused(self) -> list[str]:
        """What was answered by an error although no connection was cut."""
        return [
            f"{attempt.message}: {attempt.said}"
            for caller in self._callers
            for attempt in caller.attempts
            if attempt.is_refused
        ]

    def forget(self) -> None:
        for caller in self._callers:
            caller.attempts.clear()


@asynccontextmanager
async def callers_on(url: str, clock: SharedClock) -> AsyncIterator[Callers]:
    """Callers with a connection each."""
    engines = [
        create_engine(url, pool_size=1, application_name=f"caller-{number}")
        for number in range(COUNT)
    ]
    try:
        yield Callers(
            [
                Caller(
                    name=f"caller-{number}",
                    engine=engine,
                    flows=flows_on(database_of(engine), clock=clock),
                )
                for number, engine in enumerate(engines)
            ]
        )
    finally:
        for engine in engines:
            await engine.dispose()


def _now() -> datetime:
    return datetime.now(UTC)


async def _send(shop: Shop, message: Message) -> str:
    match message:
        case Report():
            return await _report(shop, message)
        case Claim():
            claimed = await shop.flows.purchase_linking.claim_past(
                linking.Claim(
                    merchant_id=shop.merchant_id,
                    client_id=message.client,
                    order_reference=message.order,
                    token=message.token,
                ),
                event_time=time_of(message.minute),
                repeat=None,
            )
            return "waits" if claimed.purchase_id is None else "theirs"
        case Arrival():
            return await _arrive(shop, message)
        case CampaignChange():
            return await _change(shop, message)
        case RateNews():
            return await _observe(shop, message)
        case Rest() | AtWork():
            return await wait(shop, message)


async def _report(shop: Shop, report: Report) -> str:
    try:
        return await shop.flows.purchase_webhook.receive(
            ReceivedDelivery(
                platform="custom",
                merchant_id=shop.merchant_id,
                product_id=None,
                message=platforms.Message(
                    body=report.body,
                    headers={
                        "x-hmac-sha256": [sign(report.body)],
                        "x-webhook-id": [report.event],
                    },
                ),
            )
        )
    except DeliveryPostponedError:
        return KEPT


async def _arrive(shop: Shop, arrival: Arrival) -> str:
    said = arriving.Arrival(
        merchant_id=shop.merchant_id,
        client_id=arrival.client,
        referrer_wallet="",
        referrer_client_id=arrival.referrer,
        referrer_merchant_id=None,
        landing_url="https://shop.example/",
        utm=Utm(),
    )
    if arrival.minute is None:
        record = await shop.flows.arrival.track(said, repeat=None)
    else:
        record = await shop.flows.arrival.record_past(
            said, event_time=time_of(arrival.minute), repeat=None
        )
    return "came" if record.referral_link_id is None else "was brought"


async def _change(shop: Shop, change: CampaignChange) -> str:
    flows = shop.flows
    try:
        async with flows.database.transaction() as tx:
            changed = await flows.campaigns.change_state(
                tx,
                shop.merchant_id,
                shop.campaign_ids[change.campaign],
                CHANGES[change.action],
                now=flows.clock.now,
            )
    except TransitionInvalidError:
        # It was done by a try whose answer was lost.
        return "done before"
    return str(changed.state)


async def wait(shop: Shop, until: Rest | AtWork) -> str:
    """Waits for workers: until one has begun, or until all have done what is due."""
    return await (rest(shop) if isinstance(until, Rest) else at_work(shop, until.order))


async def rest(shop: Shop) -> str:
    """Waits until workers have done what is due, but not for lanes that were set back."""
    flows = shop.flows
    for _ in range(RESTS_MAX):
        lanes = await flows.reward.list_waiting_lanes(is_thorough=True)
        now = flows.clock.now
        if not any(each.due_time <= now for each in lanes if each.merchant_id == shop.merchant_id):
            return "rested"
        await asyncio.sleep(REST_SECONDS)
    return "tired of waiting"


async def at_work(shop: Shop, order: str) -> str:
    """Waits until a worker has begun to decide an order that is due, but not for long."""
    flows = shop.flows
    asked = {"merchant_id": shop.merchant_id, "order": order, "now": flows.clock.now}
    for _ in range(LOOKS_MAX):
        async with flows.database.single() as tx:
            if not (await tx.execute(_NOT_BEGUN, asked)).scalar_one():
                return "begun"
        await asyncio.sleep(LOOK_SECONDS)
    return "tired of waiting"


async def _observe(shop: Shop, news: RateNews) -> str:
    flows = shop.flows
    async with flows.database.transaction() as tx:
        await flows.rates.add(
            tx,
            ExchangeRate(
                exchange_rate_id=ExchangeRateId(uuid7()),
                pair=Pair(base=news.currency, quote="EUR"),
                rate=Decimal(news.rate),
                observe_time=time_of(news.minute),
                source=MANUAL,
                create_time=flows.clock.now,
            ),
        )
    return "noted"
