"""A signature that is wrong is told what it looks like."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest

from orchestration.purchase_webhook.platforms.body_signatures import fault_of_base64_signature

KEY, BODY = "key", b"{}"
RIGHT = hmac.digest(KEY.encode(), BODY, hashlib.sha256)


def encoded(given: bytes) -> str:
    return base64.b64encode(given).decode()


def test_the_right_one_has_no_fault() -> None:
    """Nobody could report anything."""
    assert fault_of_base64_signature(encoded(RIGHT), key=KEY, body=BODY) is None


def test_one_that_was_made_elsewhere_is_right() -> None:
    """The key is the text as it stands, also if that looks like one that is decoded."""
    body = (
        b'{"id":"A-1001","customerId":"cust-77","status":"confirmed","token":"tok_9f2c",'
        b'"currency":"EUR","totalPrice":"59.80"}'
    )
    signature = "r5Qas0V8KPkazw4PjdD3Dt9Bam7UPVWTfj7Qjt423yQ="
    assert fault_of_base64_signature(signature, key="whsec_demo_0123456789", body=body) is None


@pytest.mark.parametrize(
    ("signature", "looks"),
    [
        ("", "is missing"),
        (RIGHT.hex(), "is 32 bytes in hexadecimal digits"),
        (hashlib.sha1(BODY).hexdigest(), "is 20 bytes in hexadecimal digits"),
        (hashlib.md5(BODY).hexdigest().upper(), "is 16 bytes in hexadecimal digits"),
        (hashlib.sha512(BODY).hexdigest(), "is 64 bytes in hexadecimal digits"),
        (encoded(RIGHT.hex().encode()), "is the Base64 of 64 hexadecimal digits"),
        (encoded(RIGHT[:20]), "is the Base64 of 20 bytes, not of 32"),
        (f"sha256={RIGHT.hex()}", "begins with sha256, which does not belong there"),
        (f" {encoded(RIGHT)}", "has white space around it"),
        (encoded(RIGHT).rstrip("="), "is in the URL-safe alphabet, or without its padding"),
        ("?", "is no Base64"),
        (encoded(hashlib.sha256(BODY).digest()), "is well-formed, but not that of these bytes"),
    ],
)
def test_a_wrong_one_is_told_what_it_looks_like(signature: str, looks: str) -> None:
    """A developer would try keys, and look for the fault in the wrong place."""
    fault = fault_of_base64_signature(signature, key=KEY, body=BODY)

    assert fault is not None
    assert fault.startswith(looks)
