"""Statements that may wait for a row, and what they read beside it.

A statement that has waited goes on with the snapshot from before the wait: of the row that it
waited for it sees what the other one wrote, of every other table it does not. So whatever such a
statement reads elsewhere stands here, with the reason why nothing can have changed there meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import TextClause

from infrastructure.database.metadata import metadata
from tests.support.lints import assert_none
from tests.support.statements import module_statements

FIXED = "rules, items and units are never changed once they are there"
ARRIVALS = (
    "links of a merchant are only added under a lock that a statement before it takes; the same"
    " for people whom it makes; touches are read to leave out a repetition, no more"
)
NO_LANE_BUT_OURS = "only whoever holds the lane writes them, and the lane is held"

# What each reads beside the rows that it may wait for, and why that may be older than the wait.
READS = {
    "domains.campaign.repository.budgets._MOVE": ({"budget_item"}, FIXED),
    "domains.campaign.repository.budgets._RELEASE": (
        {"budget_entry", "budget_window"},
        NO_LANE_BUT_OURS,
    ),
    "domains.campaign.repository.campaigns._FIND_FOR_UPDATE": (
        {"budget_item", "campaign_rule_version"},
        FIXED,
    ),
    "domains.campaign.repository.campaigns._LIST_PAYING": (
        {"budget_item", "campaign_rule_version"},
        FIXED,
    ),
    "domains.identity.repository._ADD_WALLET": (
        {"identity_group"},
        "people are never deleted, and nobody else makes this one",
    ),
    "domains.purchases.repository.delivery_retries._SET_TRIED": (
        {"delivery", "shop_order"},
        "the delivery is locked by a statement before it; an order that is missed costs no try",
    ),
    "domains.purchases.repository.orders._FORGET_UNREPORTED": (
        {"order_claim", "shop_order"},
        "the orders are locked by a statement before it, and claims are only added under that",
    ),
    "domains.rewards.repository.rewards._CANCEL": (
        {"interaction", "ledger_unit", "reward"},
        NO_LANE_BUT_OURS,
    ),
    "orchestration.arrival.statements._ARRIVE_ALONE": (
        {"identity_node", "merchant", "touchpoint"},
        ARRIVALS,
    ),
    "orchestration.arrival.statements._ARRIVE_BY_LINK": (
        {"identity_node", "merchant", "referral_link", "touchpoint"},
        ARRIVALS,
    ),
    "orchestration.arrival.statements._ARRIVE_BY_LINK_BEFORE": (
        {"identity_node", "merchant", "referral_link", "touchpoint"},
        ARRIVALS,
    ),
    "orchestration.purchase_linking.statements._CLAIM": (
        {"identity_node", "merchant"},
        "read before the order is waited for: who somebody is does not depend on the order",
    ),
    "orchestration.purchase_webhook.statements._APPLY": (
        {"delivery", "identity_node", "merchant", "order_claim", "shop_order"},
        (
            "claims are counted in the order's row: who has seen another number decides nothing,"
            " and does it again under a lock of its own statement; who the customer is, by other"
            " orders, is asked as of the report's receipt"
        ),
    ),
}

_WAITS = re.compile(
    r"""\bFOR\ (NO\ KEY\ UPDATE|UPDATE|KEY\ SHARE|SHARE)\b(?!\s+(OF\ \w+\ )?SKIP\ LOCKED)
      | \bON\ CONFLICT\b | \bUPDATE\ [a-z] | \bDELETE\ FROM\b""",
    re.VERBOSE,
)
_WRITES = re.compile(r"\b(?:UPDATE|INSERT INTO|DELETE FROM)\s+([a-z_]+)")
_DELETES = re.compile(r"\bDELETE FROM\s+\w+")
_READS = re.compile(r"(?:\b(?:FROM|JOIN|USING)\s+|,\s*\n?\s+)(?:ONLY\s+|LATERAL\s+)?(\w+)\b(?!\.)")
_LOCKS = re.compile(r"\bFOR (?:NO KEY UPDATE|UPDATE|KEY SHARE|SHARE)\b(?: OF (\w+))?")


def statements() -> Iterator[tuple[str, str]]:
    """Every statement that is written down in the code, by its name."""
    for name, statement in module_statements():
        if isinstance(statement, TextClause):
            yield name, statement.text
        else:
            yield name, str(statement.compile(dialect=postgresql.dialect()))  # type: ignore[no-untyped-call]


def reads_beside(statement: str) -> set[str]:
    """The tables that a statement reads and does not wait at."""
    statement = re.sub(r"--.*", "", statement)
    tables = set(metadata.tables)
    written = set(_WRITES.findall(statement))
    found = set(_READS.findall(_DELETES.sub("", statement))) & tables
    locked = set(_LOCKS.findall(statement))
    if not written:
        # `OF` names what is locked; without it, everything that is read is.
        written = found if "" in locked else locked
    # A statement about one table alone waits where it reads.
    return set() if found <= written and len(written) == 1 else found - (locked & written)


@pytest.fixture(scope="module")
def waiting() -> Mapping[str, str]:
    """The statements that may wait for a row."""
    return {name: text for name, text in statements() if _WAITS.search(re.sub(r"--.*", "", text))}


def test_statements_are_found(waiting: Mapping[str, str]) -> None:
    """A test that finds no statement would be content with every one."""
    assert len(waiting) > 30
    assert "orchestration.purchase_webhook.statements._APPLY" in waiting


def test_what_is_read_beside_the_row_that_is_waited_for_has_a_reason(
    waiting: Mapping[str, str],
) -> None:
    """What another one wrote meanwhile would be missed: the reward goes to somebody else."""
    assert_none(
        f"{name} reads {sorted(found)}, and reasons are given for {sorted(expected)}"
        for name, text in sorted(waiting.items())
        for found, (expected, _) in [(reads_beside(text), READS.get(name, (set(), "")))]
        if found != expected
    )


def test_every_reason_is_about_a_statement_that_is_there(waiting: Mapping[str, str]) -> None:
    """The list would tell of statements that are long gone."""
    assert set(READS) <= set(waiting)
