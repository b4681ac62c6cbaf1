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
every = pytest.mark.parametrize("kind", REFUSALS, ids=lambda kind: f"{kind.domain}.{kind.reason}")


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


@pytest.mark.parametrize("domain", sorted({kind.domain for kind in REFUSALS} - {"mesh"}))
def test_refusals_and_published_reasons_are_the_same_set(domain: str) -> None:
    """A program would meet a reason that it cannot look up, or wait for one in vain."""
    raised = [kind.reason for kind in REFUSALS if kind.domain == domain]
    assert sorted(raised) == sorted(reason_enums()[domain].reasons)


@every
def test_a_refusal_is_what_its_published_comment_says(kind: type[DomainError]) -> None:
    """A program would look for a code or a key that does not come."""
    published = reason_enums()[kind.domain].reasons[kind.reason]
    refusal, _ = an_example(kind)
    assert CODES[kind.kind] is published.code
    assert set(refusal.metadata) == published.metadata


@every
def test_what_the_message_mentions_is_in_the_metadata(kind: type[DomainError]) -> None:
    """A program would have to parse prose."""
    refusal, values = an_example(kind)
    told = set(refusal.metadata.values()) | {refusal.field}
    for name, value in values.items():
        text = value.isoformat() if isinstance(value, datetime) else str(value)
        if name not in PROSE and text in refusal.message:
            assert text in told, name


@every
def test_a_refusal_is_a_sentence(kind: type[DomainError]) -> None:
    """People would read half a thought."""
    message = an_example(kind)[0].message
    assert message.endswith(".")
    assert message[0].isupper() or message.startswith("value-of-") or message[0] in "'2"


@every
def test_a_refusal_is_raised_somewhere(kind: type[DomainError]) -> None:
    """The reason is published for nothing."""
    used = re.compile(rf"(?<!class ){kind.__name__}\(|raise {kind.__name__}\b")
    users = [path for path in modules() if used.search(path.read_text(encoding="utf-8"))]
    assert users, f"nobody raises {kind.__name__}"


@every
@pytest.mark.parametrize("letter", ["x", "ß", "猫", "\U0001f408", "%"])
def test_a_refusal_stays_small(kind: type[DomainError], letter: str) -> None:
    """Callers lose an error whose trailers are large, and so do others on their connection."""
    refusal, _ = an_example(kind, text=letter * 20_000)
    status = to_status(refusal_of(refusal, A_METHOD), A_METHOD, as_json=False)
    assert status.ByteSize() + len(status.message.encode()) <= STATUS_BYTES_MAX


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


@pytest.mark.parametrize("written", WRITTEN, ids=lambda each: f"{each.reason}-{each.place}")
def test_a_refusal_of_the_mesh_is_what_is_published(written: Written) -> None:
    """A program would look for a code or a key that does not come."""
    published = reason_enums()["mesh"].reasons[written.reason]
    assert grpc.StatusCode[written.code] is published.code
    assert written.metadata == published.metadata
    assert not published.is_from_envoy


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
