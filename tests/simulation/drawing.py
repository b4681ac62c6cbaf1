"""Draws rounds: each is a pure function of its seed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from random import Random

from domains.business.model import AttributionModel
from domains.campaign.model import Asset, CalendarMonths, Operator, Recipient, Tiles, Trigger
from tests.simulation.history import (
    Arrival,
    AtWork,
    CampaignChange,
    Claim,
    FaultPlan,
    MerchantPlan,
    Message,
    RateNews,
    Report,
    Rest,
    RoundPlan,
)
from tests.support.rules import (
    CampaignPlan,
    Limit,
    a_campaign,
    a_condition,
    chained,
    fixed,
    percent,
)

MERCHANTS_MAX = 2
PEOPLE = tuple(f"person-{number}" for number in range(7))
CUSTOMERS = tuple(f"customer-{number}" for number in range(3))
DAY = 24 * 60
OLDEST = 40 * DAY
RATE_REACH = 7 * DAY
WINDOWS = (None, Tiles(duration=timedelta(days=3)), CalendarMonths(time_zone="Europe/Paris"))
MOMENT_MAX = 4


def draw_round(seed: int) -> RoundPlan:
    """The round of a seed."""
    random = Random(seed)
    count = random.randint(1, MERCHANTS_MAX)
    return RoundPlan(
        seed=seed,
        merchants=tuple(_MerchantDraw(random, seed, number).draw() for number in range(count)),
    )


def draw_faults(seed: int) -> FaultPlan:
    """What breaks while the rounds of several seeds run side by side, of which this is the first.

    Some pass undisturbed: what is lost without any fault must not hide behind one. In some
    nothing happens but that rows are held, often: whoever is killed never comes too late.
    """
    random = Random(f"faults of {seed}")
    kind = random.random()
    if kind < 0.4:
        return FaultPlan(
            kills_of_callers=random.choice((0, 0.1)),
            kills_of_workers_sessions=0,
            kills_of_workers=0,
            freezes=0,
            locks=0 if kind < 0.25 else 0.6,
            forgetting=0,
        )
    return FaultPlan(
        kills_of_callers=random.choice((0, 0.05, 0.15)),
        kills_of_workers_sessions=random.choice((0, 0.1, 0.3)),
        kills_of_workers=random.choice((0, 0.05, 0.1)),
        freezes=random.choice((0, 0.05, 0.15)),
        locks=random.choice((0, 0.1, 0.2)),
        forgetting=random.choice((0, 0, 0.04)),
    )


class _MerchantDraw:
    """Draws one merchant of a round."""

    def __init__(self, random: Random, seed: int, number: int) -> None:
        self._random = random
        self._letter = "ABCDEFGH"[number]
        self._name = f"seed {seed}, merchant {self._letter}"
        # Rates are everybody's, so each merchant has a currency of its own.
        self._foreign = _currency(seed * MERCHANTS_MAX + number)
        self._events = 0

    def draw(self) -> MerchantPlan:
        random = self._random
        is_patient = random.random() < 0.35
        campaigns = self._campaigns()
        drafts = (self._campaign("draft"),) if random.random() < 0.3 else ()
        orders = [f"{self._letter}-{number}" for number in range(random.randint(3, 6))]
        poisoned = frozenset(random.sample(orders, 1) if random.random() < 0.1 else ())
        kept = frozenset(orders if random.random() < 0.3 else ())
        evidence = [self._messages_of(order) for order in orders]
        other = [*self._arrivals_of_now(), *self._rates()]
        moments = self._moments(evidence, other)
        if not is_patient:
            if random.random() < 0.4:
                moments = self._with_changes(moments, campaigns, drafts)
            for _ in range(random.randint(1, 3)):
                moments.insert(random.randint(1, len(moments)), [Rest()])
        return MerchantPlan(
            name=self._name,
            look_back=timedelta(days=random.choice((1, 7, 30, 30))),
            attribution_model=random.choice(list(AttributionModel)),
            is_patient=is_patient,
            campaigns=campaigns,
            drafts=drafts,
            arrivals=self._arrivals(),
            firsts=self._firsts(),
            moments=tuple(tuple(moment) for moment in moments),
            poisoned=poisoned,
            kept=kept,
        )

    def _campaigns(self) -> tuple[CampaignPlan, ...]:
        names = ["welcome", *self._random.sample(["shared", "friend", "points", "large"], 2)]
        return tuple(self._campaign(name) for name in names)

    def _campaign(self, name: str) -> CampaignPlan:
        random = self._random
        limits = self._limits() if random.random() < 0.35 else ()
        match name:
            case "shared":
                return a_campaign(
                    name,
                    amount=percent("10"),
                    to=Recipient.REFERRER,
                    trigger=Trigger.REFERRAL_PURCHASE,
                    chaining=chained("20", "50"),
                    limits=limits,
                )
            case "friend":
                return a_campaign(
                    name,
                    amount=fixed("2"),
                    to=Recipient.REFERRER,
                    trigger=Trigger.REFERRAL,
                    limits=limits,
                )
            case "points":
                return a_campaign(name, amount=fixed("7"), asset=Asset.POINTS)
            case "large":
                return a_campaign(
                    name,
                    amount=percent("3"),
                    when=a_condition("purchase.amount", Operator.GT, Decimal(60)),
                    limits=limits,
                )
            case _:
                return a_campaign(name, amount=fixed("1"), limits=limits)

    def _limits(self) -> tuple[Limit, ...]:
        random = self._random
        # The first orders take three, so that the others meet a window that is full or fills up.
        amount = random.choice(("2", "3.5", "4.5", "5", "6", "9"))
        limits = [Limit(amount=amount, window=random.choice(WINDOWS))]
        if random.random() < 0.4:
            limits.append(Limit(amount="12", label="more", window=random.choice(WINDOWS)))
        return tuple(limits)

    def _arrivals(self) -> tuple[Arrival, ...]:
        """Who came before anything was bought, most of them in the order of their times."""
        random = self._random
        minutes = sorted(random.sample(range(-50 * DAY, -60), 10))
        if random.random() < 0.4:
            minutes[3:7] = random.sample(minutes[3:7], 4)
        clients = [*PEOPLE, *random.choices(PEOPLE, k=3)]
        arrivals = []
        for number, (client, minute) in enumerate(zip(clients, minutes, strict=True)):
            referrer = random.choice(clients[:number]) if number and random.random() < 0.7 else ""
            arrivals.append(Arrival(client=client, referrer=referrer, minute=minute))
        return tuple(arrivals)

    def _firsts(self) -> tuple[Report, ...]:
        """The orders by which the shop's customers became known."""
        return tuple(
            self._report(
                f"first-{customer}",
                state="confirmed",
                minute=-45 * DAY + number,
                ordered=-45 * DAY,
                client=self._random.choice(PEOPLE),
                customer=customer,
            )
            for number, customer in enumerate(CUSTOMERS)
        )

    def _report(self, order: str, *, state: str, minute: int, **said: object) -> Report:
        self._events += 1
        report = Report(
            order=order,
            state=state,
            token=f"token of {order}",
            minute=minute,
            ordered=minute,
            total="100.00",
            currency="EUR",
            client=None,
            customer=None,
            event=f"event-{self._events}",
        )
        return replace(report, **said)  # type: ignore[arg-type]  # fields by their names

    def _messages_of(self, order: str) -> list[Claim | Report]:
        """Reports of all states, edited and dated anew, and claims right and wrong."""
        random = self._random
        placed = random.randint(-OLDEST, -120)
        customer = random.choice((None, None, *CUSTOMERS, f"customer of {order}"))
        currency = self._foreign if random.random() < 0.25 else "EUR"
        tokens = [f"token of {order}", f"other token of {order}"]
        minutes = random.sample(range(placed, placed + 119), 15)
        if random.random() < 0.5:
            minutes.sort(reverse=True)
        reports = [
            self._report(
                order,
                state=state,
                minute=minutes.pop(),
                token=tokens[random.random() < 0.15],
                ordered=self._ordered(placed),
                total=random.choice(("100.00", "100.00", "59.80", "20.00")),
                currency=currency if random.random() < 0.9 else "EUR",
                client=self._hint(order),
                customer=customer if random.random() < 0.8 else None,
                copies=2 if random.random() < 0.2 else 1,
            )
            for state in self._states()
        ]
        if all(each.ordered is None for each in reports):
            reports[0] = replace(reports[0], ordered=placed)
        claims = [
            Claim(
                order=order,
                client=random.choice((*PEOPLE, *PEOPLE, f"stranger of {order}")),
                token=random.choice((*tokens, tokens[0], tokens[0], "invented")),
                minute=minutes.pop(),
            )
            for _ in range(random.choice((0, 1, 1, 2, 2, 3)))
        ]
        if claims and random.random() < 0.3:
            # Told once more, with a rival's claim of a time between the two.
            first, rival, last = sorted(minutes.pop() for _ in range(3))
            told = replace(claims[0], token=tokens[0])
            claims[0] = replace(told, minute=first)
            claims += [
                replace(told, minute=last),
                replace(told, client=random.choice(PEOPLE), minute=rival),
            ]
        return [*reports, *claims]

    def _states(self) -> list[str]:
        random = self._random
        states = random.choice(
            (
                ["confirmed"],
                ["confirmed"],
                ["pending", "confirmed"],
                ["confirmed", "confirmed"],
                ["pending", "confirmed", "confirmed"],
                ["confirmed", "refunded"],
                ["confirmed", "cancelled", "confirmed"],
                ["confirmed", "refunded", "confirmed"],
                ["confirmed", "refunded", "confirmed", "confirmed"],
                ["confirmed", "refunded", "confirmed", "cancelled"],
            )
        )
        # Their times are drawn at random, so that many of them are not what came last.
        return random.sample(states, len(states)) if random.random() < 0.3 else states

    def _ordered(self, placed: int) -> int | None:
        random = self._random
        if random.random() < 0.08:
            return None
        return placed - random.choice((0, 0, 0, 1, 5 * DAY, 33 * DAY))

    def _hint(self, order: str) -> str | None:
        random = self._random
        if random.random() < 0.7:
            return None
        return random.choice((*PEOPLE, f"browser of {order}"))

    def _arrivals_of_now(self) -> list[Message]:
        """People who come while orders do, some of them by two links at once."""
        random = self._random
        arrivals: list[Message] = []
        for number in range(random.randint(0, 2)):
            client = random.choice((f"late-{number}", *PEOPLE))
            arrivals += [
                Arrival(client=client, referrer=random.choice(PEOPLE), minute=None)
                for _ in range(random.randint(1, 3))
            ]
        return arrivals

    def _rates(self) -> list[Message]:
        """Rates that come while orders wait for them. No two hold for the same time."""
        random = self._random
        return [
            RateNews(currency=self._foreign, rate=f"0.{random.randint(1, 9)}", minute=minute)
            for minute in (-RATE_REACH, -3 * RATE_REACH, -5 * RATE_REACH)
            if random.random() < 0.7
        ]

    def _moments(
        self, evidence: list[list[Claim | Report]], other: list[Message]
    ) -> list[list[Message]]:
        """What is sent at once: mostly messages of one order, sometimes of several.

        The messages of some orders come close together.
        """
        random = self._random
        lives: list[list[list[Message]]] = []
        for messages in evidence:
            if random.random() < 0.4:
                lives.append(self._fast_life(messages))
                continue
            rest: list[Message] = random.sample(messages, len(messages))
            while rest:
                count = random.randint(1, MOMENT_MAX)
                lives.append([rest[:count]])
                rest = rest[count:]
        random.shuffle(lives)
        moments = [moment for life in lives for moment in life]
        for each in other:
            if random.random() < 0.5 and moments:
                random.choice(moments).append(each)
            else:
                moments.insert(random.randint(0, len(moments)), [each])
        return moments

    def _fast_life(self, messages: list[Claim | Report]) -> list[list[Message]]:
        """One or two at a time, most of them while a worker is at it with those before."""
        random = self._random
        rest: list[Claim | Report] = sorted(messages, key=lambda each: each.minute)
        moments: list[list[Message]] = []
        while rest:
            count = random.choice((1, 2)) if moments else 1
            wait = [AtWork(order=rest[0].order)] if random.random() < 0.7 else []
            moments.append([*wait, *rest[:count]])
            rest = rest[count:]
        return moments

    def _with_changes(
        self,
        moments: list[list[Message]],
        campaigns: tuple[CampaignPlan, ...],
        drafts: tuple[CampaignPlan, ...],
    ) -> list[list[Message]]:
        """Campaigns that are published, paused and archived meanwhile, as is allowed."""
        random = self._random
        changes = [(each.name, ("publish", "pause")[: random.randint(1, 2)]) for each in drafts]
        for each in campaigns:
            if random.random() < 0.6:
                actions = ("pause", "resume", "archive")[: random.randint(1, 3)]
                changes.append((each.name, actions))
        for name, actions in changes:
            places = sorted(random.choices(range(len(moments) + 1), k=len(actions)))
            for shift, (place, action) in enumerate(zip(places, actions, strict=True)):
                moments.insert(place + shift, [CampaignChange(campaign=name, action=action)])
        return moments


def _currency(number: int) -> str:
    """A currency of its own for each number, so that nobody else's rates hold for it."""
    letters = []
    for _ in range(2):
        number, letter = divmod(number, 26)
        letters.append(chr(ord("A") + letter))
    return "X" + "".join(letters)
