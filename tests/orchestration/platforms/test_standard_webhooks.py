"""Signatures by Standard Webhooks: the published ones are right, and each fault is told."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from orchestration.purchase_webhook.platforms import CustomPlatform, Message, SignatureFaultyError
from orchestration.purchase_webhook.platforms.standard_webhooks import (
    SIGNATURES_MAX,
    StandardSignature,
)
from tests.support.shop import SIGNING_KEY, sign, sign_standard

# As the authors of Standard Webhooks publish them, with their libraries.
KEY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EVENT_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIMESTAMP = 1_614_265_330
SENT = datetime.fromtimestamp(TIMESTAMP, UTC)
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
FOREIGN = "v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc="
WRONG = f"v1,{'A' * 43}="
PUBLISHED = {
    "webhook-id": [EVENT_ID],
    "webhook-timestamp": [str(TIMESTAMP)],
    "webhook-signature": [SIGNATURE],
}


def fault_of(
    changed: Mapping[str, list[str] | None] | None = None,
    *,
    key: str = KEY,
    body: bytes = BODY,
    now: datetime = SENT,
) -> str | None:
    """What is wrong with the published message, changed: the header, and what is said of it."""
    named = changed or {}
    headers = {
        name: values for name, values in {**PUBLISHED, **named}.items() if values is not None
    }
    try:
        proof = CustomPlatform().proof_of(Message(body=body, headers=headers), now=now)
    except SignatureFaultyError as faulty:
        return str(faulty)
    fault = proof.fault(key)
    return None if fault is None else f"{proof.header} {fault}"


def test_the_published_message_is_right() -> None:
    """No library of Standard Webhooks could sign for a shop."""
    assert fault_of() is None


def test_few_signatures_are_compared() -> None:
    """Whoever knows an address could have thousands compared, before any proof."""
    many = " ".join([WRONG] * SIGNATURES_MAX)
    told = fault_of({"webhook-signature": [f"{many} {SIGNATURE}"]})
    assert told == f"webhook-signature has more than {SIGNATURES_MAX} signatures"
    assert (
        fault_of({"webhook-signature": [many.removeprefix(f"{WRONG} ") + f" {SIGNATURE}"]}) is None
    )


@pytest.mark.parametrize(
    "signatures",
    [
        f"{WRONG} {SIGNATURE}",
        f"{SIGNATURE} {WRONG}",
        # As the authors' own test has it: other versions are passed over.
        f"{FOREIGN} {FOREIGN.replace('v1', 'v2')} {SIGNATURE} {FOREIGN.replace('v1', 'v2')}",
        f"v1a,{'A' * 86}== {SIGNATURE}",
        f"v1,not Base64 {SIGNATURE}",
        f"  {SIGNATURE}  ",
    ],
)
def test_of_several_signatures_one_must_be_right(signatures: str) -> None:
    """A sender that changes its key over signs with both."""
    assert fault_of({"webhook-signature": [signatures]}) is None


@pytest.mark.parametrize("seconds", [-300, -1, 0, 299, 300])
def test_a_message_may_be_minutes_on_its_way_and_clocks_differ(seconds: int) -> None:
    """Deliveries of a shop whose clock is a minute fast would be refused."""
    assert fault_of(now=SENT + timedelta(seconds=seconds)) is None


@pytest.mark.parametrize(
    ("seconds", "where"), [(301, "before"), (-301, "after"), (10**6, "before")]
)
def test_what_was_sent_long_ago_or_is_yet_to_come_is_told_the_time(
    seconds: int, where: str
) -> None:
    """Whoever captured a message could send it for ever, and a shop would not know its clock."""
    now = SENT + timedelta(seconds=seconds)
    assert fault_of(now=now) == (
        f"webhook-timestamp is {TIMESTAMP}, more than 5 minutes {where} the server's time, which "
        f"is {TIMESTAMP + seconds}, {now:%Y-%m-%dT%H:%M:%SZ}: sign each try anew"
    )


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"webhook-id": None}, "webhook-id is missing"),
        ({"webhook-id": [""]}, "webhook-id is missing"),
        ({"webhook-timestamp": None}, "webhook-timestamp is missing"),
        ({"webhook-signature": None}, "webhook-signature is missing"),
        ({"webhook-signature": [" "]}, "webhook-signature is missing"),
        ({"webhook-signature": [SIGNATURE] * 2}, "webhook-signature was sent 2 times"),
        ({"webhook-id": [EVENT_ID] * 2}, "webhook-id was sent 2 times"),
        ({"webhook-timestamp": [str(TIMESTAMP)] * 3}, "webhook-timestamp was sent 3 times"),
        ({"webhook-id": ["a.b"]}, "webhook-id must be 1 to 255 printable ASCII"),
        ({"webhook-id": ["a b"]}, "webhook-id must be 1 to 255 printable ASCII"),
        ({"webhook-id": ["é"]}, "webhook-id must be 1 to 255 printable ASCII"),
        ({"webhook-id": ["x" * 256]}, "webhook-id must be 1 to 255 printable ASCII"),
        ({"webhook-timestamp": ["soon"]}, "webhook-timestamp must be whole seconds"),
        ({"webhook-timestamp": ["-1"]}, "webhook-timestamp must be whole seconds"),
        ({"webhook-timestamp": ["1614265330.0"]}, "webhook-timestamp must be whole seconds"),
        ({"webhook-timestamp": ["9" * 30]}, "webhook-timestamp must be whole seconds"),
        ({"webhook-timestamp": ["1614265330000"]}, "webhook-timestamp must be whole seconds"),
        ({"webhook-timestamp": ["²"]}, "webhook-timestamp must be whole seconds"),
        ({"webhook-signature": [SIGNATURE.removeprefix("v1,")]}, "webhook-signature has no sig"),
        ({"webhook-signature": ["v2,abc"]}, "webhook-signature has no signature of version v1"),
        ({"webhook-signature": ["v1,"]}, "webhook-signature is missing, behind v1"),
        ({"webhook-signature": ["v1,abc"]}, "webhook-signature is no Base64, behind v1"),
        ({"webhook-signature": [SIGNATURE[:-1]]}, "webhook-signature is in the URL-safe alphabet"),
        ({"webhook-signature": [WRONG]}, "webhook-signature is well-formed, but not that"),
        ({"webhook-id": ["msg_other"]}, "webhook-signature is well-formed, but not that"),
        ({"webhook-timestamp": [str(TIMESTAMP + 1)]}, "webhook-signature is well-formed, but not"),
        ({"x-hmac-sha256": ["abc"]}, "webhook-signature and x-hmac-sha256 are both there"),
        ({"x-hmac-sha256": [""]}, "webhook-signature and x-hmac-sha256 are both there"),
    ],
)
def test_a_fault_is_told_with_its_header(changed: dict[str, list[str] | None], told: str) -> None:
    """A developer would not know which header is meant, or anybody could report orders."""
    fault = fault_of(changed)
    assert fault is not None
    assert fault.startswith(told)


@pytest.mark.parametrize("body", [BODY + b"\n", BODY.replace(b" ", b""), b""])
def test_every_byte_of_the_body_is_signed(body: bytes) -> None:
    """Orders could be changed on their way."""
    assert "is well-formed" in (fault_of(body=body) or "")


@pytest.mark.parametrize("key", ["a plain key", "whsec_demo_0123456789", "whsec_", KEY[6:]])
def test_a_key_that_stands_for_no_bytes_verifies_nothing(key: str) -> None:
    """A shop with an older key would sign by it in a way that nobody publishes."""
    fault = fault_of(key=key)
    assert fault is not None
    assert fault.startswith("webhook-signature cannot be verified: the webhook's key ")


def test_a_message_is_its_id_and_its_body_whenever_it_is_sent() -> None:
    """A try that is signed anew would be another delivery, or another message the same one."""

    def digest(event_id: str, body: bytes, seconds: int = 0) -> bytes:
        sent = SENT + timedelta(seconds=seconds)
        message = Message(body=body, headers=sign_standard(body, event_id=event_id, sent=sent))
        proof = StandardSignature.of(message, now=sent)
        assert proof.fault(SIGNING_KEY) is None
        assert proof.kept_headers["webhook-timestamp"] == str(TIMESTAMP + seconds)
        return proof.signed_digest

    first = digest("msg_1", b"{}")
    assert first == digest("msg_1", b"{}", 4_000) == hashlib.sha256(b"msg_1.{}").digest()
    assert len({first, digest("msg_2", b"{}"), digest("msg_1", b"[]")}) == 3


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({}, "webhook-signature is missing"),
        ({"x-hmac-sha256": [""]}, "x-hmac-sha256 is missing"),
        ({"x-hmac-sha256": [sign(BODY)] * 2}, "x-hmac-sha256 was sent 2 times; send it once"),
        ({"x-hmac-sha256": [sign(BODY), ""]}, "x-hmac-sha256 was sent 2 times; send it once"),
        ({"x-webhook-id": ["1"]}, "webhook-signature is missing"),
    ],
)
def test_a_message_is_signed_once(headers: dict[str, list[str]], told: str) -> None:
    """Of two signatures the one that somebody added might be looked at."""
    with pytest.raises(SignatureFaultyError) as faulty:
        CustomPlatform().proof_of(Message(body=BODY, headers=headers), now=SENT)
    assert str(faulty.value).startswith(told)


def test_headers_that_are_not_signed_change_nothing_of_the_older_way() -> None:
    """Whoever adds an id would make another delivery of a captured one."""
    headers = {"x-hmac-sha256": [sign(BODY)], "webhook-id": ["new"], "x-webhook-id": ["a", "b"]}
    proof = CustomPlatform().proof_of(Message(body=BODY, headers=headers), now=SENT)
    assert proof.fault(SIGNING_KEY) is None
    assert proof.signed_digest == hashlib.sha256(BODY).digest()
    assert (proof.event_id, proof.kept_headers) == ("a", {"x-webhook-id": "a"})
