"""What the demo came to: read back from the mesh, shown as a table and a picture."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.table import Table
from rich.text import Text

from guerdon.campaign.v1 import campaign_pb2, campaign_pb2_grpc
from guerdon.purchases.v1 import purchases_pb2, purchases_pb2_grpc
from guerdon.rewards.v1 import rewards_pb2, rewards_pb2_grpc
from localmesh.demo.client import MeshClient
from localmesh.demo.replay import Story
from vocabulary.exact import total

PAGE_SIZE = 500
TOP_REFERRERS = 5
HISTORY_END_YEAR = 2000
TODAY = "today"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that was read back."""

    purchases: Sequence[purchases_pb2.Purchase]
    interactions: Sequence[rewards_pb2.Interaction]
    rewards: Sequence[rewards_pb2.Reward]
    windows: Sequence[campaign_pb2.BudgetWindow]
    campaign_names: Mapping[str, str]

    @property
    def fingerprint(self) -> str:
        """The same for the same rewards, to the base unit: event, campaign, role, amounts."""
        events = {each.interaction_id: each.event_reference for each in self.interactions}
        lines = sorted(
            "|".join(
                (
                    events[reward.interaction_id],
                    self.campaign_names[reward.campaign_id],
                    rewards_pb2.Reward.Role.Name(reward.role),
                    str(reward.depth),
                    reward.granted.base_units,
                    reward.amount.base_units,
                    reward.granted.unit,
                )
            )
            for reward in self.rewards
        )
        lines += sorted(
            f"{window.label}|{_month_told(window.start_time.ToDatetime())}"
            f"|{window.used.base_units}"
            f"|{window.refused_count}"
            for window in self.windows
        )
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


async def read_report(mesh: MeshClient, story: Story) -> Report:
    """Reads everything of the story's shop, page by page."""
    merchant_id = story.merchant_id
    purchases = purchases_pb2_grpc.PurchasesServiceStub(mesh.channel)
    rewards = rewards_pb2_grpc.RewardsServiceStub(mesh.channel)
    campaign = campaign_pb2_grpc.CampaignServiceStub(mesh.channel)
    names = {
        each.campaign_id: each.name
        async for each in _pages(
            mesh,
            campaign.ListCampaigns,
            campaign_pb2.ListCampaignsRequest(merchant_id=merchant_id),
            "campaigns",
        )
    }
    windows = [
        each
        for campaign_id in story.campaign_ids
        async for each in _pages(
            mesh,
            campaign.ListBudgetWindows,
            campaign_pb2.ListBudgetWindowsRequest(merchant_id=merchant_id, campaign_id=campaign_id),
            "budget_windows",
        )
    ]
    return Report(
        purchases=[
            each
            async for each in _pages(
                mesh,
                purchases.ListPurchases,
                purchases_pb2.ListPurchasesRequest(merchant_id=merchant_id),
                "purchases",
            )
        ],
        interactions=[
            each
            async for each in _pages(
                mesh,
                rewards.ListInteractions,
                rewards_pb2.ListInteractionsRequest(merchant_id=merchant_id),
                "interactions",
            )
        ],
        rewards=[
            each
            async for each in _pages(
                mesh,
                rewards.ListRewards,
                rewards_pb2.ListRewardsRequest(merchant_id=merchant_id),
                "rewards",
            )
        ],
        windows=windows,
        campaign_names=names,
    )


async def _pages(
    mesh: MeshClient, method: Callable[[Any], Any], request: Any, items: str
) -> AsyncIterator[Any]:
    request.page_size = PAGE_SIZE
    while True:
        page = await mesh.rpc(method, request)
        for each in getattr(page, items):
            yield each
        if not page.next_page_token:
            return
        request.page_token = page.next_page_token


def render(report: Report, story: Story, *, seconds: float, again_count: int) -> Group:
    """The report as tables for a terminal."""
    return Group(
        _orders_table(report, story),
        _rewards_table(report),
        _budget_table(report),
        _referrers_table(report),
        _throughput_table(story, seconds=seconds, again_count=again_count),
        Text(f"Fingerprint of every reward and window: {report.fingerprint}", style="bold"),
    )


def _table(title: str, *columns: str, caption: str = "") -> Table:
    table = Table(
        title=title,
        title_justify="left",
        title_style="bold",
        caption=caption or None,
        caption_justify="left",
        expand=False,
    )
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    return table


def _orders_table(report: Report, story: Story) -> Table:
    table = _table(
        "Orders",
        "",
        "history",
        "today",
        caption="Known customers are linked without a claim.",
    )
    today = set(story.epilogue_references)
    referred = {each.purchase_id for each in report.interactions if each.referrer_identity_group_id}

    def row(label: str, is_counted: Callable[[purchases_pb2.Purchase], bool]) -> None:
        counts = Counter(
            each.order_reference in today for each in report.purchases if is_counted(each)
        )
        table.add_row(label, f"{counts[False]:,}", f"{counts[True]:,}")

    table.add_row("told", f"{story.order_count:,}", f"{len(today):,}")
    row("reported by the shop", lambda _: True)
    row("linked to a buyer", lambda each: bool(each.identity_group_id))
    row("never linked", lambda each: not each.identity_group_id)
    row("brought by somebody", lambda each: each.purchase_id in referred)
    row("confirmed", lambda each: each.state == purchases_pb2.Purchase.STATE_CONFIRMED)
    row("refunded", lambda each: each.state == purchases_pb2.Purchase.STATE_REFUNDED)
    row("cancelled", lambda each: each.state == purchases_pb2.Purchase.STATE_CANCELLED)
    return table


def _rewards_table(report: Report) -> Table:
    table = _table(
        "Rewards",
        "campaign",
        "role, depth",
        "granted",
        "taken back",
        "amount left",
        caption="Orders below 10, and those that the budget refused, earn no token.",
    )
    kinds: dict[tuple[str, str, int, str], list[rewards_pb2.Reward]] = defaultdict(list)
    for each in report.rewards:
        role = rewards_pb2.Reward.Role.Name(each.role).removeprefix("ROLE_").lower()
        unit = "token" if ":" in each.granted.unit else each.granted.unit
        kinds[report.campaign_names[each.campaign_id], role, each.depth, unit].append(each)
    for (campaign, role, depth, unit), rewards in sorted(kinds.items()):
        taken_back = sum(each.state == rewards_pb2.Reward.STATE_CANCELLED for each in rewards)
        left = total(Decimal(each.amount.amount) for each in rewards)
        table.add_row(
            f"{campaign} ({unit})",
            f"{role} {depth or ''}".strip(),
            f"{len(rewards):,}",
            f"{taken_back:,}",
            f"{left:,.6f}",
        )
    return table


def _budget_table(report: Report) -> Table:
    bound = sum(1 for window in report.windows if window.refused_count)
    table = _table(
        "Budget by month",
        "month",
        "used",
        "limit",
        "refused",
        "events refused",
        caption=f"The budget bound in {bound} of {len(report.windows)} months.",
    )
    for window in report.windows:
        start = window.start_time.ToDatetime()
        month = _month(start) if start.year < HISTORY_END_YEAR else f"{_month(start)}, today"
        table.add_row(
            month,
            f"{Decimal(window.used.amount):,.6f}",
            f"{Decimal(window.limit.amount):,}",
            f"{Decimal(window.refused.amount):,.6f}",
            f"{window.refused_count:,}",
        )
    return table


def _referrers_table(report: Report) -> Table:
    table = _table("Top referrers", "person", "orders brought", "earned")
    earned: dict[str, list[Decimal]] = defaultdict(list)
    brought: Counter[str] = Counter()
    for each in report.rewards:
        if each.role == rewards_pb2.Reward.ROLE_REFERRER:
            earned[each.identity_group_id].append(Decimal(each.amount.amount))
            brought[each.identity_group_id] += each.depth == 1
    sums = {person: total(amounts) for person, amounts in earned.items()}
    best = sorted(sorted(sums), key=lambda person: (sums[person], brought[person]), reverse=True)
    for person in best[:TOP_REFERRERS]:
        table.add_row(person, f"{brought[person]:,}", f"{sums[person]:,.6f}")
    return table


def _throughput_table(story: Story, *, seconds: float, again_count: int) -> Table:
    table = _table("Throughput", "", "count", "a second")
    for label, count in (
        ("arrivals", story.arrival_count),
        ("deliveries", story.delivery_count),
        ("claims", story.claim_count),
    ):
        table.add_row(label, f"{count:,}", f"{count / seconds:,.0f}")
    table.add_row("calls made again", f"{again_count:,}", "")
    return table


def draw(report: Report, target: Path) -> None:
    """Draws rewards and budget over time into a picture."""
    import matplotlib as mpl  # noqa: PLC0415 - takes a second to load

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 - after its backend is chosen

    months: dict[str, dict[str, list[Decimal]]] = defaultdict(lambda: defaultdict(list))
    for each in report.rewards:
        if ":" in each.granted.unit:
            month = _month_told(each.event_time.ToDatetime())
            role = "buyers" if each.depth == 0 else f"referrers, depth {each.depth}"
            months[month][role].append(Decimal(each.amount.amount))
    windows = {_month_told(window.start_time.ToDatetime()): window for window in report.windows}
    # A gap before today, which is not the month that follows the history.
    history = sorted(name for name in {*months, *windows} if name != TODAY)
    places = {name: place for place, name in enumerate(history)} | {TODAY: len(history) + 1}
    figure, axes = plt.subplots(figsize=(11, 5.5), layout="constrained")
    tops = dict.fromkeys(places, 0.0)

    def add_bars(label: str, heights: Mapping[str, float], **look: Any) -> None:
        axes.bar(
            list(places.values()),
            [heights.get(name, 0.0) for name in places],
            bottom=[tops[name] for name in places],
            label=label,
            **look,
        )
        for name, height in heights.items():
            tops[name] += height

    for role in sorted({role for each in months.values() for role in each}):
        add_bars(role, {name: float(total(each[role])) for name, each in months.items()})
    refused = {name: float(window.refused.amount) for name, window in windows.items()}
    add_bars("refused by the budget", refused, color="none", edgecolor="gray", hatch="//")
    limit = max((float(window.limit.amount) for window in windows.values()), default=0.0)
    axes.axhline(limit, color="black", linestyle="--", label="budget of a month")
    axes.set_title("Tokens left to people, and the budget, by month of the order")
    axes.set_ylabel("tokens")
    axes.set_xticks(list(places.values()), list(places), rotation=60)
    axes.legend(loc="upper right")
    figure.savefig(target, dpi=110)
    plt.close(figure)


def _month_told(instant: datetime) -> str:
    """The month of the history; the epilogue's is whichever month it is today."""
    return _month(instant) if instant.year < HISTORY_END_YEAR else TODAY


def _month(instant: datetime) -> str:
    return instant.strftime("%Y-%m")
