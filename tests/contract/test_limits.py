"""Every limit of a request stands in its field's comment, and is the one that is enforced."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import protovalidate
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from buf.validate import validate_pb2
from domains.attribution.model import LANDING_URL_CHARACTERS_MAX, UTM_CHARACTERS_MAX
from domains.campaign.model import comparing, condition_forms
from domains.campaign.model.fields import EVENT_FIELDS
from domains.purchases.model import note
from orchestration.purchase_linking import servicer as linking
from orchestration.purchase_webhook.platforms import custom, literals, reading
from server.interception.proofs.client_id import CHARACTERS_MAX as CLIENT_ID_CHARACTERS_MAX
from tests.support.contract import comments, fields
from tests.support.lints import assert_none

CUSTOM_ORDER = "guerdon.orchestration.v1.PurchaseWebhookService.ReceiveCustomOrder"
CONDITION = "guerdon.campaign.v1.Condition"
COUNTED = ("string", "repeated", "bytes")
NUMBERS = ("int32", "int64", "uint32")

# What code enforces, and the comments that say so.
IN_CODE = {
    f"{CONDITION}.value": [
        *{each.characters_max for each in EVENT_FIELDS},
        condition_forms.LIST_MAX,
        comparing.DIGITS_MAX,
    ],
    "guerdon.campaign.v1.ConditionGroup": [
        condition_forms.CONDITIONS_MAX,
        condition_forms.VALUES_MAX,
    ],
    "guerdon.campaign.v1.ConditionNode": [condition_forms.DEPTH_MAX],
    "guerdon.orchestration.v1.ClaimPurchaseRequest.order_id": [linking.REFERENCE_CHARACTERS_MAX],
    "guerdon.orchestration.v1.ClaimPurchaseRequest.customer_id": [linking.REFERENCE_CHARACTERS_MAX],
    "guerdon.orchestration.v1.TrackArrivalRequest": [CLIENT_ID_CHARACTERS_MAX],
    "guerdon.orchestration.v1.ClaimPurchaseRequest": [CLIENT_ID_CHARACTERS_MAX],
    "guerdon.orchestration.v1.TrackArrivalRequest.landing_url": [LANDING_URL_CHARACTERS_MAX],
    **{
        f"guerdon.orchestration.v1.TrackArrivalRequest.utm_{name}": [UTM_CHARACTERS_MAX]
        for name in ("source", "medium", "campaign", "term", "content")
    },
    CUSTOM_ORDER: [
        reading.REFERENCE_CHARACTERS_MAX,
        literals.NUMBER_DIGITS_MAX,
        reading.WHOLE_DIGITS_MAX,
        reading.DECIMALS_MAX,
        reading.NESTS_MAX,
        reading.COMMAS_MAX,
        literals.EARLIEST.year,
        literals.EARLIEST_NUMBER.year,
        literals.LATEST_NUMBER.year,
        custom.AHEAD_MAX // timedelta(seconds=1),
        custom.TOKEN_CHARACTERS_MAX,
        custom.CUSTOMER_CHARACTERS_MAX,
        custom.CLIENT_CHARACTERS_MAX,
        custom.ITEMS_MAX,
        custom.ITEMS_READ_MAX,
        custom.QUANTITY_MAX,
        custom.TEXT_CHARACTERS_MAX,
        custom.ADDRESS_CHARACTERS_MAX,
        note.NOTES_MAX,
    ],
}


def limits_of(field: FieldDescriptor) -> Iterator[tuple[str, str, int]]:
    """Kind, name and number of each limit that the contract's annotations set."""
    rules: Any = field.GetOptions().Extensions[validate_pb2.field]
    for kind in (*COUNTED, *NUMBERS):
        if not rules.HasField(kind):
            continue
        for each, number in getattr(rules, kind).ListFields():
            if each.name in {"min_len", "max_len", "min_items", "max_items", "gte", "lte"}:
                yield kind, each.name, number


def numbers_in(comment: str) -> set[int]:
    """The numbers of a comment, `1,000` as 1000."""
    return {int(each.replace(",", "")) for each in re.findall(r"-?[0-9][0-9,]*(?<!,)", comment)}


def test_a_limit_is_stated() -> None:
    """A caller would learn of it from a refusal."""
    assert_none(
        f"{field.full_name}: {name} {number}"
        for field in fields()
        for _, name, number in limits_of(field)
        # One, and nothing at all, are said in words.
        if number not in {0, 1} and number not in numbers_in(comments()[field.full_name])
    )


def test_a_limit_is_the_one_that_is_enforced() -> None:
    """A caller would be refused what the contract allows, or allowed what it refuses."""
    assert_none(
        f"{field.full_name}: {name} {number}"
        for field in fields()
        for kind, name, number in limits_of(field)
        for outside in [number - 1 if name in {"min_len", "min_items", "gte"} else number + 1]
        for ignores_zero in [outside in {0, -1}]
        if is_refused(field, kind, number) or not (is_refused(field, kind, outside) or ignores_zero)
    )


def is_refused(field: FieldDescriptor, kind: str, size: int) -> bool:
    """Whether a value of a size is refused because of that."""
    assert field.containing_type is not None
    message: Any = GetMessageClass(field.containing_type)()
    if kind in NUMBERS:
        setattr(message, field.name, size)
    elif kind == "repeated":
        fill(getattr(message, field.name), field, size)
    else:
        setattr(message, field.name, "x" * max(size, 0))
    return any(
        path_of(violation) == [field.name] and violation.proto.rule_id.startswith(f"{kind}.")
        for violation in protovalidate.collect_violations(message)
    )


def fill(values: Any, field: FieldDescriptor, size: int) -> None:
    for number in range(size):
        if field.message_type is not None:
            values.add()
        else:
            values.append(number + 1)


def path_of(violation: Any) -> list[str]:
    """Of a rule about the whole message there is none."""
    path = violation.proto.field
    return [each.field_name for each in path.elements] if path else []


def test_a_limit_of_code_is_stated() -> None:
    """A shop's developer would learn of it from a refusal."""
    assert_none(
        f"{name}: {limit}"
        for name, limits in IN_CODE.items()
        for limit in sorted(set(limits) - numbers_in(comments()[name]))
    )


def test_a_report_s_limits_are_those_that_its_comment_states() -> None:
    """The comment would state numbers that nothing keeps."""
    known = {*IN_CODE[CUSTOM_ORDER]}
    stated = numbers_in(comments()[CUSTOM_ORDER].partition("What decides")[2].partition("Who ")[0])
    said_otherwise = {1, 0, 3339, 1970}
    assert stated - said_otherwise <= known
    assert datetime(1990, 1, 1, tzinfo=UTC) == literals.EARLIEST
