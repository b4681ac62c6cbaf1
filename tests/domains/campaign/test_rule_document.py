"""Rules as they are stored."""

from __future__ import annotations

from decimal import Decimal

import orjson
from hypothesis import given

from domains.campaign.model import Operator, PercentageAmount, Rule
from domains.campaign.model.rule_document import from_document, to_document
from tests.support.campaign import UNITS, a_definition, a_rule, all_of, asks, rules


@given(rules())
def test_what_is_stored_is_what_is_read(rule: Rule) -> None:
    """A campaign would pay by another rule than the one that was published."""
    stored = orjson.dumps(to_document(rule, UNITS))

    assert from_document(orjson.loads(stored)) == (rule, UNITS)


def test_numbers_are_stored_as_text_to_the_last_digit() -> None:
    """A reader that takes JSON numbers for floats would round an amount or a limit."""
    amount = Decimal("12345678901234567890.123456")
    rule = a_rule(
        a_definition(amount=PercentageAmount(percent=Decimal("7.500001"), amount_max=amount)),
        when=all_of(asks("purchase.amount", Operator.BETWEEN, amount, "1e3")),
    )

    stored = orjson.dumps(to_document(rule, UNITS)).decode()

    assert '"value":{"number":"12345678901234567890.123456"},"value_to":"1e3"' in stored
    assert '"percent":"7.500001"' in stored
    assert '"amount_max":"12345678901234567890.123456"' in stored
