"""Calls that are wrong before any field of theirs is: made for each method of the contract."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import grpc
from google.api import annotations_pb2, http_pb2

from infrastructure.rpc.contract import Method
from infrastructure.rpc.rate_class import REQUEST_BYTES_MAX, RateClass
from tests.support.http2 import Answer, connected, frame, grpc_headers
from tests.support.mesh import proof_for
from tests.support.messages import a_full_request, example_id

ANSWER_SECONDS_MAX = 20
CALLS_AT_ONCE = 20
_LENGTH = re.compile(rb"content-length: ([0-9]+)")
_VARIABLE = re.compile(r"\{([^}=]+)[^}]*\}")

CALLERS_CODES = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
"""Codes that say that the caller is at fault."""

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeCall:
    """A call of gRPC as it is sent: headers instead of the usual ones, headers beside them, and
    the pieces of its body.

    `may_pass`: what is wrong with it may be left out on the way, and the rest be served.
    """

    headers: tuple[Pair, ...] = ()
    usual: Mapping[str, str] | None = None
    body: tuple[bytes, ...] = ()
    suffix: str = ""
    may_pass: bool = False


Native = Callable[[Method], NativeCall]


def _good(method: Method) -> bytes:
    request: Any = a_full_request(method)
    # What passes is carried out, and other tests send the example as well, or one near it.
    if "request_id" in request.DESCRIPTOR.fields_by_name:
        request.request_id = str(uuid4())
    if method.descriptor.name == "CreateMerchant":
        request.merchant.domain = f"{uuid4()}.example"
    return frame(request.SerializeToString())


def _header(name: str, text: str) -> Native:
    return lambda method: NativeCall(headers=((name, text),), body=(_good(method),), may_pass=True)


def _usual(**usual: str) -> Native:
    return lambda method: NativeCall(usual=usual, body=(_good(method),))


REACH_US: Mapping[str, Native] = {
    "no message": lambda _: NativeCall(),
    "an empty body": lambda _: NativeCall(body=(b"",)),
    "two messages": lambda method: NativeCall(body=(_good(method), _good(method))),
    "two messages at once": lambda method: NativeCall(body=(_good(method) * 2,)),
    "a frame cut in its head": lambda _: NativeCall(body=(b"\0\0",)),
    "a frame cut in its body": lambda _: NativeCall(body=(frame(b"\x0a", claimed=9),)),
    "a message of no type": lambda _: NativeCall(body=(frame(b"\x07"),)),
    "a message cut short": lambda _: NativeCall(body=(frame(b"\x0a\xff"),)),
    "packed garbage": lambda _: NativeCall(
        headers=(("grpc-encoding", "gzip"),), body=(frame(b"\x1f\x8bgarbage", compressed=True),)
    ),
    "too large": lambda method: NativeCall(body=(frame(b"\0" * (method.request_bytes_max + 1)),)),
    "an unknown method": lambda method: NativeCall(suffix="Nowhere", body=(_good(method),)),
    "two proofs": lambda method: NativeCall(
        headers=tuple((name, "another") for name, _ in proof_for(method)),
        body=(_good(method),),
        may_pass=not proof_for(method),
    ),
    "two signatures": lambda method: NativeCall(
        headers=(("x-hmac-sha256", "one"), ("x-hmac-sha256", "two")), body=(_good(method),)
    ),
    "a proof that is no text": lambda method: NativeCall(
        usual={"proof": "\x80\xff"}, body=(_good(method),), may_pass=not proof_for(method)
    ),
}
"""What the server itself answers, whoever passes it on."""

REACH_ENVOY: Mapping[str, Native] = {
    "a timeout that is none": _header("grpc-timeout", "zzz"),
    "a timeout of nothing": _header("grpc-timeout", "0n"),
    "a binary header that is none": _header("x-a-bin", "%%%"),
    "attempts that are none": _header("grpc-previous-rpc-attempts", "zz"),
    "a name with an underscore": _header("x_service_auth", "zz"),
    "an unknown encoding": _header("grpc-encoding", "zzz"),
    "packed, and not saying how": lambda _: NativeCall(body=(frame(b"garbage", compressed=True),)),
    "packed, and saying that it is not": lambda _: NativeCall(
        headers=(("grpc-encoding", "identity"),), body=(frame(b"garbage", compressed=True),)
    ),
    "the verb GET": _usual(method="GET"),
    "the verb PUT": _usual(method="PUT"),
    "the verb DELETE": _usual(method="DELETE"),
    "a content type like gRPC's": _usual(content_type="application/grpcx"),
    "a content type of texts": _usual(content_type="text/plain"),
}
"""What gRPC itself would answer, in words that are not ours: Envoy stands before it."""


async def native_answer(address: tuple[str, int], method: Method, case: Native) -> str:
    """Makes the call at the address; says what is wrong with the answer, if anything is."""
    call = case(method)
    usual = dict(call.usual or {})
    proof_text = usual.pop("proof", None)
    proof = [(name, proof_text or text) for name, text in proof_for(method)]
    headers = grpc_headers(method.path + call.suffix, *proof, *call.headers, **usual)
    try:
        async with connected(*address) as connection:
            answer = await connection.call(headers, call.body, seconds=ANSWER_SECONDS_MAX)
    except TimeoutError:
        return "is never answered"
    if answer.headers.get("content-type", "").startswith("application/grpc"):
        return _fault_of_grpc(answer, may_pass=call.may_pass)
    return _fault_of_json(
        int(answer.headers.get(":status", 0)), answer.body, may_pass=call.may_pass
    )


def _fault_of_grpc(answer: Answer, *, may_pass: bool) -> str:
    code = answer.code
    if code is grpc.StatusCode.OK and may_pass:
        return ""
    if code not in CALLERS_CODES:
        return f"{code} {answer.message!r}"
    info = answer.info
    if info is None or not info.domain.endswith(".guerdon"):
        return f"{code} {answer.message!r} without ErrorInfo"
    return ""


# -- in JSON --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonCall:
    """A request as it is sent, where it is not the usual one of the method."""

    verb: str = ""
    headers: tuple[Pair, ...] = ()
    body: bytes | None = None
    may_pass: bool = False


Json = Callable[[Method], JsonCall]

IN_JSON: Mapping[str, Json] = {
    "a timeout that is none": lambda _: JsonCall(headers=(("grpc-timeout", "zzz"),), may_pass=True),
    "a binary header that is none": lambda _: JsonCall(headers=(("x-a-bin", "%"),), may_pass=True),
    "an encoding of gRPC's": lambda _: JsonCall(headers=(("grpc-encoding", "zzz"),), may_pass=True),
    "two signatures": lambda _: JsonCall(
        headers=(("x-hmac-sha256", "one"), ("x-hmac-sha256", "two"))
    ),
    # A route without a body has nothing in it that could be missing, and ignores what comes.
    "no body": lambda method: JsonCall(body=b"", may_pass=not method.takes_body),
    "two bodies": lambda method: JsonCall(body=b"{}{}", may_pass=not method.takes_body),
    "half a body": lambda method: JsonCall(body=b'{"merchantId', may_pass=not method.takes_body),
    "too large": lambda method: JsonCall(
        # Of a verb without a body, Envoy takes as little as of a probe.
        body=b'{"a":"'
        + b"x"
        * (method.request_bytes_max if method.takes_body else REQUEST_BYTES_MAX[RateClass.PROBE])
        + b'"}',
        may_pass=not method.takes_body,
    ),
    "another verb": lambda _: JsonCall(verb="PATCH"),
    "a verb that is none": lambda _: JsonCall(verb="GRPC"),
    "a content type of texts": lambda _: JsonCall(
        headers=(("content-type", "text/plain"),), may_pass=True
    ),
    "a content type like gRPC's": lambda _: JsonCall(
        headers=(("content-type", "application/grpcx"),), may_pass=True
    ),
    "an unknown content encoding": lambda _: JsonCall(
        headers=(("content-encoding", "zzz"),), may_pass=True
    ),
    "an unknown transfer encoding": lambda _: JsonCall(headers=(("transfer-encoding", "zzz"),)),
}


def routes_of(method: Method) -> list[Pair]:
    """Verb and path of each route of the method, its variables filled in."""
    rule: http_pb2.HttpRule = method.descriptor.GetOptions().Extensions[annotations_pb2.http]
    found = []
    for each in (rule, *rule.additional_bindings):
        verb = each.WhichOneof("pattern")
        if verb in {"get", "put", "post", "delete", "patch"}:
            path = _VARIABLE.sub(lambda name: example_id(name[1]), getattr(each, verb))
            found.append((verb.upper(), path))
    return found


async def json_answer(address: tuple[str, int], method: Method, case: Json) -> str:
    """Makes the request on the method's first route; says what is wrong with the answer."""
    call = case(method)
    verb, path = routes_of(method)[0]
    body = (b"{}" if method.takes_body else b"") if call.body is None else call.body
    headers = [*proof_for(method), *call.headers]
    if body and "transfer-encoding" not in dict(headers):
        headers.append(("content-length", str(len(body))))
    try:
        status, answer = await _http1(address, call.verb or verb, path, headers, body)
    except TimeoutError:
        return "is never answered"
    return _fault_of_json(status, answer, may_pass=call.may_pass)


def _fault_of_json(status: int, body: bytes, *, may_pass: bool) -> str:
    if status == 200 and may_pass:
        return ""
    if not 400 <= status < 500:
        return f"{status} {body[:200]!r}"
    try:
        details = json.loads(body)["details"]
    except (ValueError, KeyError):
        return f"{status} {body[:200]!r} is not in the shape of refusals"
    types = [detail["@type"].rpartition(".")[2] for detail in details]
    return "" if "ErrorInfo" in types else f"{status} without ErrorInfo"


async def _http1(
    address: tuple[str, int], verb: str, path: str, headers: Sequence[Pair], body: bytes
) -> tuple[int, bytes]:
    """Status and body of an answer; whatever the headers are."""
    lines = [f"{verb} {path} HTTP/1.1", "host: guerdon.test", "connection: close"]
    lines += [f"{name}: {text}" for name, text in headers]
    async with asyncio.timeout(ANSWER_SECONDS_MAX):
        reader, writer = await asyncio.open_connection(*address)
        try:
            writer.write("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
            # Like every client: what is refused early is answered before it was sent as a whole.
            head = await reader.readuntil(b"\r\n\r\n")
            length = _LENGTH.search(head)
            rest = await (reader.read() if length is None else reader.readexactly(int(length[1])))
        except (ConnectionError, asyncio.IncompleteReadError):
            return 0, b"the connection was closed"
        finally:
            writer.close()
    if b"transfer-encoding: chunked" in head:
        rest = rest.partition(b"\r\n")[2].rpartition(b"\r\n0\r\n")[0]
    return int(head.split()[1]), rest


async def faults_of_all(
    methods: Sequence[Method], answer: Callable[[Method], Awaitable[str]]
) -> list[str]:
    """What is wrong with the answers of all methods, a bounded number of them at once."""
    room = asyncio.Semaphore(CALLS_AT_ONCE)

    async def one(method: Method) -> str:
        async with room:
            fault = await answer(method)
        return f"{method.path}: {fault}" if fault else ""

    return [fault for fault in await asyncio.gather(*map(one, methods)) if fault]
