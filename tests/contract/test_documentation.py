"""What a caller reads beside the contract is there, and true."""

from __future__ import annotations

import re

import grpc

from infrastructure.rpc.contract import Method
from tests.support.contract import (
    METHODS,
    comments,
    declared,
    fields,
    promised_refusals,
    reason_enums,
)
from tests.support.lints import assert_none


def test_everything_is_explained() -> None:
    """A caller would have to guess at the unit, the format or the meaning of absent."""
    assert_none(
        f"{name}: a comment is made of sentences, and this one is {comment!r}"
        for name in declared()
        for comment in [comments().get(name, "").strip()]
        if not comment.endswith((".", ":"))
    )


def test_a_method_promises_only_published_refusals() -> None:
    """A caller would wait for a reason that never comes, or with another code."""
    assert_none(
        f"{method.path}: {promise.reason} is not published with {promise.code.name}"
        for method in METHODS.values()
        for published in [published_for(method)]
        for promise in promised_refusals(method)
        if published.get(promise.reason) is not promise.code
    )


def published_for(method: Method) -> dict[str, grpc.StatusCode]:
    """The reasons that callers of a method may look up, and their codes."""
    service = method.descriptor.containing_service.name
    return {
        name: reason.code
        for enum in reason_enums().values()
        if service in enum.services or enum.domain == "mesh"
        for name, reason in enum.reasons.items()
    }


def test_every_line_of_errors_is_understood() -> None:
    """A misspelt line would be promised to people and checked by nobody."""
    assert_none(
        f"{method.path}: {listed}"
        for method in METHODS.values()
        for listed in [comments()[method.descriptor.full_name].partition("Errors:")[2]]
        if len(re.findall(r"^\s*- ", listed, re.MULTILINE)) != len(promised_refusals(method))
    )


def test_a_paged_method_promises_to_refuse_bad_tokens() -> None:
    """A caller that kept a token for too long would not know how it is told."""
    assert_none(
        method.path
        for method in METHODS.values()
        for promised in [{promise.reason for promise in promised_refusals(method)}]
        for takes_token in ["page_token" in method.request_type.fields_by_name]
        if takes_token != ("PAGE_TOKEN_INVALID" in promised)
    )


def test_every_published_reason_is_promised_by_a_method() -> None:
    """A reason that no method promises is a surprise to whoever gets it."""
    assert_none(
        f"{enum.domain}: {reason}"
        for enum in reason_enums().values()
        if enum.domain != "mesh"  # Any method may be refused by the mesh.
        for promised in [
            {
                promise.reason
                for method in METHODS.values()
                if method.descriptor.containing_service.name in enum.services
                for promise in promised_refusals(method)
            }
        ]
        for reason in sorted(set(enum.reasons) - promised)
    )


def test_a_page_size_says_its_default_and_its_limit() -> None:
    """A caller would take the page for the whole list."""
    said = re.compile(r"Default \d+; more than \d+ is taken as \d+\.")
    paged = [field.full_name for field in fields() if field.name == "page_size"]
    assert paged
    assert_none(name for name in paged if not said.search(comments()[name]))
