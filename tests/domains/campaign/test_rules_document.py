"""The documentation of rules: every field, type and operator, and examples that run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from google.protobuf import json_format

from domains.campaign.model import ConditionGroup, Operator
from domains.campaign.model.checking import check_rule
from domains.campaign.model.fields import EVENT_FIELDS, FieldType
from domains.campaign.model.satisfiability import outcomes
from domains.campaign.servicer.rules import to_rule
from guerdon.campaign.v1 import rule_pb2
from tests.support.campaign import UNITS
from vocabulary.problems import Problems

DOCUMENT = (Path(__file__).parents[3] / "docs" / "rules.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in DOCUMENT.splitlines()
    if line.startswith("| ")
]
OPERATORS = {row[0].strip("`"): row for row in ROWS if row[0].startswith("`OPERATOR_")}
NOT_NUMBERS = {"date", "currency", "uuid", "address", "source", "text", "list"}


def types_in(words: str) -> set[str]:
    """The types that a cell of the table means."""
    every = {each.value for each in FieldType}
    if words.startswith("all"):
        return every - ({"list"} if words == "all but list" else set())
    named = set(re.split(r"[ ,]+", words))
    return (named - {"numbers"}) | (every - NOT_NUMBERS if "numbers" in named else set())


def paths_of(row: Sequence[str]) -> list[str]:
    """The paths that a row names: `.name` stands for the last part of the one before it."""
    paths: list[str] = []
    for word in re.findall(r"`([^`]+)`", row[0]):
        paths.append(f"{paths[-1].rpartition('.')[0]}{word}" if word.startswith(".") else word)
    return paths


def test_every_field_is_listed_with_its_type() -> None:
    """A merchant would ask about a field that is not there, or in another way than it takes."""
    listed = {
        path: row[1]
        for row in ROWS
        if len(row) == 3 and row[0].startswith("`")
        for path in paths_of(row)
        if "." in path
    }

    assert listed == {each.path: each.type.value for each in EVENT_FIELDS}


@pytest.mark.parametrize("operator", Operator, ids=str)
def test_every_operator_is_listed_with_its_types(operator: Operator) -> None:
    """A merchant would be refused what the documentation allows."""
    row = OPERATORS[f"OPERATOR_{operator.name}"]

    assert types_in(row[2]) == {each.value for each in FieldType if operator in each.operators}


@pytest.mark.parametrize("operator", Operator, ids=str)
def test_every_example_is_taken_and_says_something(operator: Operator) -> None:
    """Whoever copies an example would be refused, or have a rule that pays nobody."""
    message = rule_pb2.Rule(trigger=rule_pb2.TRIGGER_PURCHASE)
    example = OPERATORS[f"OPERATOR_{operator.name}"][3].strip("`")
    json_format.Parse(example, message.conditions.conditions.add().condition)
    message.rewards.add(recipient=rule_pb2.RECIPIENT_USER).fixed.amount = "1"

    conditions = check_rule(to_rule(message, Problems()), UNITS).conditions

    (condition,) = conditions.members
    assert not isinstance(condition, ConditionGroup)
    assert condition.operator is operator
    assert outcomes(conditions) == {True, False}


def test_no_more_operators_are_listed() -> None:
    """The documentation would promise a question that cannot be asked."""
    assert set(OPERATORS) == {f"OPERATOR_{each.name}" for each in Operator}
