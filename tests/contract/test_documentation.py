"""What a caller reads beside the contract is there, and true."""

from __future__ import annotations

import re

import pytest
from google.protobuf.descriptor import FieldDescriptor

from infrastructure.rpc.contract import Method
from tests.support.contract import (
    METHODS,
    comments,
    declared,
    fields,
    method_ids,
    promised_refusals,
    reason_enums,
)

PAGED = [field for field in fields() if field.name == "page_size"]


@pytest.mark.parametrize("name", declared())
def test_everything_is_explained(name: str) -> None:
    """A caller would have to guess at the unit, the format or the meaning of absent."""
    comment = comments().get(name, "").strip()
    assert comment, f"{name} has no comment"
    assert comment.endswith((".", ":")), f"{name}: a comment is made of sentences"


@pytest.mark.parametrize("method", METHODS.values(), ids=method_ids)
def test_a_method_promises_only_published_refusals(method: Method) -> None:
    """A caller would wait for a reason that never comes, or with another code."""
    service = method.descriptor.containing_service.name
    published = {
        name: reason
        for enum in reason_enums().values()
        if service in enum.services or enum.domain == "mesh"
        for name, reason in enum.reasons.items()
    }
    for promise in promised_refusals(method):
        assert promise.reason in published, f"{service} publishes no {promise.reason}"
        assert promise.code is published[promise.reason].code, promise.reason


@pytest.mark.parametrize("method", METHODS.values(), ids=method_ids)
def test_every_line_of_errors_is_understood(method: Method) -> None:
    """A misspelt line would be promised to people and checked by nobody."""
    _, _, listed = comments()[method.descriptor.full_name].partition("Errors:")
    bullets = re.findall(r"^\s*- ", listed, re.MULTILINE)
    assert len(bullets) == len(promised_refusals(method)), listed


@pytest.mark.parametrize("method", METHODS.values(), ids=method_ids)
def test_a_paged_method_promises_to_refuse_bad_tokens(method: Method) -> None:
    """A caller that kept a token for too long would not know how it is told."""
    takes_token = "page_token" in method.request_type.fields_by_name
    promised = {promise.reason for promise in promised_refusals(method)}
    assert takes_token == ("PAGE_TOKEN_INVALID" in promised)


@pytest.mark.parametrize(
    ("domain", "reason"),
    [(enum.domain, reason) for enum in reason_enums().values() for reason in enum.reasons],
)
def test_every_published_reason_is_promised_by_a_method(domain: str, reason: str) -> None:
    """A reason that no method promises is a surprise to whoever gets it."""
    enum = reason_enums()[domain]
    if domain == "mesh":
        return  # Any method may be refused by the mesh.
    promised = {
        promise.reason
        for method in METHODS.values()
        if method.descriptor.containing_service.name in enum.services
        for promise in promised_refusals(method)
    }
    assert reason in promised


@pytest.mark.parametrize("field", PAGED, ids=lambda field: field.full_name)
def test_a_page_size_says_its_default_and_its_limit(field: FieldDescriptor) -> None:
    """A caller would take the page for the whole list."""
    assert re.search(r"Default \d+; more than \d+ is taken as \d+\.", comments()[field.full_name])
