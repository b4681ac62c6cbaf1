"""What is raised is published, and what is published is raised somewhere."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints
from uuid import uuid4

import grpc
import pytest

from infrastructure.database.repeated_call import RequestIdReusedError
from server.interception.refusals import (
    CODES,
    STATUS_BYTES_MAX,
    Refusal,
    Violation,
    refusal_of,
    to_status,
)
from server.interception.validation import request_invalid
from server.probes.servicer import not_ready
from tests.support.contract import METHODS, ROOT, reason_enums
from tests.support.lints import assert_none
from vocabulary.errors import DomainError

ROOMS = (
    "vocabulary",
    "domains",
    "orchestration",
    "infrastructure/rpc",
    "server/interception",
    "server/probes",
)
PROSE = {"problem"}
"""Parameters that are words for people, not values that a program would ask for."""

A_METHOD = METHODS["/guerdon.edge.v1.EdgeService/GetHealth"]
INSTANT = datetime(2025, 3, 1, 12, tzinfo=UTC)


def modules() -> Iterator[Path]:
    """Every module of the rooms that refuse."""
    for room in ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


def every_refusal() -> list[type[DomainError]]:
    """Every class of refusals, once everything is imported."""
    for path in modules():
        importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    found, waiting = [], list(DomainError.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if hasattr(kind, "reason"):
            found.append(kind)
    return sorted(found, key=lambda kind: (kind.domain, kind.reason))


REFUSALS = every_refusal()


def name_of(kind: type[DomainError]) -> str:
    return f"{kind.domain}.{kind.reason}"


def sample(annotation: Any, name: str, *, text: str = "") -> Any:
    """A value for a parameter of a refusal."""
    if get_origin(annotation) in {Union, UnionType}:
        [annotation] = [each for each in get_args(annotation) if each is not NoneType]
    annotation = getattr(annotation, "__supertype__", annotation)
    if annotation is datetime:
        return INSTANT
    if annotation is str:
        return text or f"value-of-{name}"
    if annotation is int:
        return 4242
    assert annotation.__name__ == "UUID", f"{name}: say how to make a {annotation}"
    return uuid4()


def an_example(kind: type[DomainError], *, text: str = "") -> tuple[DomainError, dict[str, Any]]:
    """A refusal, and what it was made from. `text` is what every text of it is."""
    hints = get_type_hints(kind.__init__)
    parameters = list(inspect.signature(kind.__init__).parameters)[1:]
    values = {name: sample(hints[name], name, text=text) for name in parameters}
    return kind(**values), values


def test_every_domain_of_refusals_is_published_and_used() -> None:
    """Reasons would be published that nobody sends, or sent and never published."""
    raised = {kind.domain for kind in REFUSALS}
    assert raised == set(reason_enums())


def test_refusals_and_published_reasons_are_the_same_set() -> None:
    """A program would meet a reason that it cannot look up, or wait for one in vain."""
    raised = [(kind.domain, kind.reason) for kind in REFUSALS if kind.domain != "mesh"]
    assert sorted(raised) == sorted(
        (enum.domain, reason)
        for enum in reason_enums().values()
        if enum.domain != "mesh"
        for reason in enum.reasons
    )


def test_a_refusal_is_what_its_published_comment_says() -> None:
    """A program would look for a code or a key that does not come."""
    assert_none(
        f"{name_of(kind)}: {published}"
        for kind in REFUSALS
        for published in [reason_enums()[kind.domain].reasons[kind.reason]]
        if CODES[kind.kind] is not published.code
        or set(an_example(kind)[0].metadata) != published.metadata
    )


def test_what_the_message_mentions_is_in_the_metadata() -> None:
    """A program would have to parse prose."""
    assert_none(
        f"{name_of(kind)}: {name}"
        for kind in REFUSALS
        for refusal, values in [an_example(kind)]
        for name, value in values.items()
        for text in [value.isoformat() if isinstance(value, datetime) else str(value)]
        if name not in PROSE
        and text in refusal.message
        and text not in {*refusal.metadata.values(), refusal.field}
    )


def test_a_refusal_is_a_sentence() -> None:
    """People would read half a thought."""
    assert_none(
        f"{name_of(kind)}: {message}"
        for kind in REFUSALS
        for message in [an_example(kind)[0].message]
        if not message.endswith(".")
        or not (message[0].isupper() or message.startswith("value-of-") or message[0] in "'2")
    )


def test_a_refusal_is_raised_somewhere() -> None:
    """The reason is published for nothing."""
    sources = [path.read_text(encoding="utf-8") for path in modules()]
    assert_none(
        name_of(kind)
        for kind in REFUSALS
        for used in [re.compile(rf"(?<!class ){kind.__name__}\(|raise {kind.__name__}\b")]
        if not any(map(used.search, sources))
    )


def test_a_refusal_stays_small() -> None:
    """Callers lose an error whose trailers are large, and so do others on their connection."""
    assert_none(
        f"{name_of(kind)}: {size} bytes, with {letter}"
        for kind in REFUSALS
        for letter in ("x", "ß", "猫", "\U0001f408", "%")
        for refusal, _ in [an_example(kind, text=letter * 20_000)]
        for status in [to_status(refusal_of(refusal, A_METHOD), A_METHOD, as_json=False)]
        for size in [status.ByteSize() + len(status.message.encode())]
        if size > STATUS_BYTES_MAX
    )


def test_many_violations_stay_small() -> None:
    """A request with many faults would be answered with an error that is lost."""
    violations = [
        Violation(path=f"campaign.rule.{'conditions[0].' * 40}{n}", description="猫" * 500)
        for n in range(40)
    ]
    refusal = Refusal(
        code=grpc.StatusCode.INVALID_ARGUMENT,
        reason="REQUEST_INVALID",
        message="猫" * 5000,
        metadata={"accepted": "猫" * 5000},
        violations=violations,
    )
    status = to_status(refusal, A_METHOD, as_json=True)
    assert status.ByteSize() + len(status.message.encode()) <= STATUS_BYTES_MAX


# -- refusals of the mesh itself ----------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A refusal of the mesh as the code writes it."""

    reason: str
    code: str
    metadata: frozenset[str]
    place: str


def written_refusals() -> Iterator[Written]:
    """Every `Refusal(…)` of the server with a reason of its own."""
    for path in sorted((ROOT / "server").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or getattr(node.func, "id", "") != "Refusal":
                continue
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            if isinstance(given.get("reason"), ast.Constant):
                yield _written(given, f"{path.name}:{node.lineno}")


def _written(given: dict[str | None, ast.expr], place: str) -> Written:
    reason, code, metadata = given["reason"], given["code"], given.get("metadata")
    assert isinstance(reason, ast.Constant)
    assert isinstance(code, ast.Attribute), f"{place}: write the code where the reason is"
    assert metadata is None or isinstance(metadata, ast.Dict), place
    keys = [] if metadata is None else metadata.keys
    return Written(
        reason=str(reason.value),
        code=code.attr,
        metadata=frozenset(str(key.value) for key in keys if isinstance(key, ast.Constant)),
        place=place,
    )


WRITTEN = list(written_refusals())


def test_a_refusal_of_the_mesh_is_what_is_published() -> None:
    """A program would look for a code or a key that does not come."""
    reasons = reason_enums()["mesh"].reasons
    assert_none(
        f"{written.place}: {written.reason}"
        for written in WRITTEN
        for published in [reasons.get(written.reason)]
        if published is None
        or grpc.StatusCode[written.code] is not published.code
        or written.metadata != published.metadata
        or published.is_from_envoy
    )


def test_every_reason_of_the_mesh_is_used() -> None:
    """The reason is published for nothing."""
    published = reason_enums()["mesh"].reasons.values()
    ours = {reason.name for reason in published if not reason.is_from_envoy}
    shared = {kind.reason for kind in REFUSALS if kind.domain == "mesh"}
    assert ours == shared | {written.reason for written in WRITTEN}
    assert not shared & {written.reason for written in WRITTEN}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_envoys_own_answers_are_published() -> None:
    """A program would meet a reason that it cannot look up."""
    from server.edge.local_replies import LOCAL_REPLIES  # noqa: PLC0415 - loads Envoy's types

    published = reason_enums()["mesh"].reasons
    for reply in LOCAL_REPLIES:
        assert published[reply.reason].code is reply.code, reply
    sent = {reply.reason for reply in LOCAL_REPLIES}
    assert {reason.name for reason in published.values() if reason.is_from_envoy} <= sent


def test_what_is_made_elsewhere_is_published_too() -> None:
    """These two are not written as the others are."""
    published = reason_enums()["mesh"].reasons
    for refusal in (
        refusal_of(RequestIdReusedError(uuid4()), A_METHOD),
        refusal_of(ConnectionRefusedError("db.internal:5432"), A_METHOD),
        refusal_of(RuntimeError("whsec_demo_0123456789"), A_METHOD),
        not_ready("schema", "The schema is old."),
    ):
        assert refusal.code is published[refusal.reason].code
        assert set(refusal.metadata) == published[refusal.reason].metadata
        assert "db.internal" not in refusal.message
        assert "whsec" not in refusal.message


def test_a_key_is_told_as_it_was_written() -> None:
    """`signing_key is not known; did you mean signing_key?` would help nobody."""
    method = METHODS["/guerdon.business.v1.BusinessService/UpdateWebhook"]
    refusal = request_invalid(
        [
            Violation(
                path="signing_key",
                description="is not known; did you mean hookSignatureKey?",
                in_json=True,
            ),
            Violation(path="signing_key", description="is required"),
        ]
    )
    assert to_status(refusal, method, as_json=True).message == (
        "signing_key is not known; did you mean hookSignatureKey? hookSignatureKey is required."
    )
