"""Who bought an order does not depend on which message came first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial, reduce
from itertools import combinations, permutations, product
from typing import Any
from uuid import UUID

from domains.purchases.model.evidence import (
    TOKENS_MAX,
    Buyer,
    Claim,
    Evidence,
    Link,
    ReportedEvidence,
)
from vocabulary.ids import IdentityGroupId

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
ANN, BEN, HINTED, GUESSED = (IdentityGroupId(UUID(int=number)) for number in range(1, 5))
TOKENS = (b"first token", b"second token")
SET_SIZE_MAX = 6

Message = Callable[[Evidence], Evidence]
NOTHING = Evidence()


def a_claim(person: IdentityGroupId, token: bytes, minutes: int = 0) -> Claim:
    return Claim(
        time=NOON + timedelta(minutes=minutes), token_digest=token, identity_group_id=person
    )


def a_report(
    token: bytes = TOKENS[0], guard_key: str = "1", minutes: int = 0, **said: Any
) -> ReportedEvidence:
    receive_time = NOON + timedelta(minutes=minutes)
    return ReportedEvidence(
        token_digest=token, guard_key=guard_key, receive_time=receive_time, **said
    )


def _claimed(claim: Claim, evidence: Evidence) -> Evidence:
    return evidence.claimed(claim)


def _reported(report: ReportedEvidence, evidence: Evidence) -> Evidence:
    return evidence.reported(report)


def messages() -> Iterator[Message]:
    """Claims of two people with two tokens; reports pending, confirmed and refunded, each with
    and without a hint, with either token; of a customer whom earlier orders tied to a person.
    """
    for minutes, (person, token) in enumerate(product((ANN, BEN), TOKENS)):
        claim = a_claim(person, token, minutes % 3)
        yield partial(_claimed, claim)
    for order, (state, hint, token) in enumerate(product(range(3), (None, HINTED, BEN), TOKENS)):
        if state and hint is BEN:
            continue
        report = a_report(
            token, f"{state}{order:02}", hint=hint, names_customer=True, guess=GUESSED
        )
        yield partial(_reported, report)


MESSAGES = list(messages())


def test_every_order_of_every_set_of_six_messages_ends_alike() -> None:
    """Who earns would depend on which message came first.

    Each set has one end, whichever of its messages comes last, and so have the sets that are
    one message smaller. So every order of every set ends there.
    """
    ends: dict[frozenset[int], Evidence] = {frozenset(): NOTHING}
    for size in range(1, SET_SIZE_MAX + 1):
        for numbers in combinations(range(len(MESSAGES)), size):
            whole = frozenset(numbers)
            reached = {MESSAGES[last](ends[whole - {last}]) for last in numbers}
            assert len(reached) == 1, numbers
            (ends[whole],) = reached
    assert len(ends) > 20_000
    # All ways of being known occur, and being unknown.
    assert {end.buyer and end.buyer.link for end in ends.values()} == {None, *Link}


def test_every_order_of_small_sets_ends_alike_one_by_one() -> None:
    """The argument of the test before would be a mistake."""
    for numbers in combinations(range(len(MESSAGES)), 3):
        ends = {
            reduce(lambda evidence, number: MESSAGES[number](evidence), order, NOTHING)
            for order in permutations(numbers)
        }
        assert len(ends) == 1


def test_hearing_a_message_twice_is_hearing_it_once() -> None:
    """A repeated report or claim would make another person the buyer."""
    for one, other in product(MESSAGES, repeat=2):
        once = other(one(NOTHING))
        assert one(once) == other(once) == once


def test_what_comes_after_the_decision_changes_nothing() -> None:
    """An order would belong to one person, and its rewards to another."""
    for before, after in product(MESSAGES, repeat=2):
        decided = before(NOTHING).held()
        if decided.buyer is not None:
            assert after(decided).buyer == decided.buyer


def test_what_comes_while_an_order_is_held_counts_once_it_is_let_go_of() -> None:
    """A buyer's proof would be lost, because a worker was about to decide and did not."""
    for before, after in product(MESSAGES, repeat=2):
        assert after(before(NOTHING).held()).let_go() == after(before(NOTHING))


def test_proof_wins_over_a_hint_and_a_hint_over_a_guess() -> None:
    """The shop's word would take an order from whoever has its token."""
    evidence = NOTHING.reported(a_report(names_customer=True, guess=GUESSED))
    assert evidence.buyer == Buyer(identity_group_id=GUESSED, link=Link.CUSTOMER)
    evidence = evidence.reported(a_report(guard_key="2", hint=HINTED))
    assert evidence.buyer == Buyer(identity_group_id=HINTED, link=Link.CLIENT)
    evidence = evidence.claimed(a_claim(ANN, TOKENS[0]))
    assert evidence.buyer == Buyer(identity_group_id=ANN, link=Link.CLAIM)


def test_the_earliest_claim_with_a_token_that_was_carried_wins() -> None:
    """Whoever opens a friend's confirmation later would take the order."""
    evidence = NOTHING.claimed(a_claim(ANN, TOKENS[0], 5)).claimed(a_claim(BEN, TOKENS[1], 1))
    assert evidence.buyer is None

    first = evidence.reported(a_report(TOKENS[0])).buyer
    both = evidence.reported(a_report(TOKENS[0])).reported(a_report(TOKENS[1], "2")).buyer

    assert first == Buyer(identity_group_id=ANN, link=Link.CLAIM)
    assert both == Buyer(identity_group_id=BEN, link=Link.CLAIM)


def test_claims_of_one_instant_are_told_apart_by_token_then_person() -> None:
    """The order of arrival would decide between two claims of one microsecond."""
    claims = [a_claim(person, token) for person, token in product((BEN, ANN), TOKENS[::-1])]
    evidence = reduce(Evidence.claimed, claims, NOTHING)
    evidence = reduce(
        Evidence.reported, [a_report(token, str(n)) for n, token in enumerate(TOKENS)], evidence
    )
    assert evidence.proven_claim == a_claim(ANN, TOKENS[0])


def test_the_hint_is_that_of_the_newest_report_that_carries_one() -> None:
    """An older report that came late would take the order from its browser."""
    newest = a_report(guard_key="3")
    evidence = NOTHING.reported(a_report(guard_key="2", hint=ANN)).reported(newest)
    assert evidence.reported(a_report(guard_key="1", hint=BEN)).hint == ANN


def test_the_guess_is_of_the_first_report_that_names_the_customer() -> None:
    """Whoever the account is tied to later would earn for orders of before."""
    evidence = NOTHING.reported(a_report()).reported(a_report(names_customer=True))
    assert evidence.reported(a_report(names_customer=True, guess=GUESSED)).buyer is None


def test_the_guess_is_of_the_first_report_received_whichever_try_applied_it() -> None:
    """A fault of ours would choose which of two customers is taken for the buyer."""
    late = NOTHING.reported(a_report(minutes=1, names_customer=True, guess=GUESSED))

    assert late.reported(a_report(names_customer=True, guess=ANN)).guess == ANN
    # Nobody is taken for nobody again: they have been told that it is theirs.
    assert late.reported(a_report(names_customer=True)).guess == GUESSED
    assert late.reported(a_report(minutes=2, names_customer=True, guess=ANN)).guess == GUESSED


def test_tokens_count_within_bounds() -> None:
    """A shop that makes a token for each report would fill its orders' rows."""
    reports = [a_report(b"%d" % number, str(number)) for number in range(TOKENS_MAX + 1)]
    evidence = reduce(Evidence.reported, reports, NOTHING)
    assert len(evidence.tokens) == TOKENS_MAX
    assert evidence.claimed(a_claim(ANN, b"0")).buyer is not None
    assert evidence.claimed(a_claim(ANN, b"%d" % TOKENS_MAX)).buyer is None
