"""The rows of requests through Envoy: arrival, webhook, claim."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from bench.floors import pgbench
from bench.load import Load, request, send_all
from bench.shop import SIGNING_KEY, Shop
from server.running_stack import RunningStack

REQUESTS = 4_000
WARM_UP = 400
CONNECTIONS = 16
FLOOR_ORDERS = 20_000

_ORDERS = text(
    """
    INSERT INTO shop_order (merchant_id, order_reference, create_time, purchase_id,
                            first_report_time, state,
                            event_time, body_hash, order_time, token_digests, total, currency,
                            items)
    SELECT :merchant_id, 'floor-order-' || n, now(), uuidv7(), now(), 'confirmed', now(),
           sha256('x'), now(), ARRAY[sha256('x')], 59.80, 'USD', '[]'
    FROM generate_series(1, :order_count) AS n
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRow:
    """A load through Envoy, and how many transactions a second the floor does."""

    name: str
    load: Load
    floor_per_second: float


async def request_rows(stack: RunningStack, engine: AsyncEngine, shop: Shop) -> list[RequestRow]:
    """Measures each kind of request, and right after it its floor."""
    async with engine.begin() as connection:
        await connection.execute(
            _ORDERS, {"merchant_id": shop.merchant_id, "order_count": FLOOR_ORDERS}
        )
    url = urlsplit(stack.public_url)
    assert url.hostname is not None
    assert url.port is not None
    numbers = range(REQUESTS + WARM_UP)
    visitors = [f"bench-{uuid4()}" for _ in numbers]
    arrivals = [_arrival(shop, visitor) for visitor in visitors]
    linked = [_webhook(shop, f"L-{n}", visitors[n]) for n in numbers]
    unlinked = [_webhook(shop, f"U-{n}", None) for n in numbers]
    claims = [_claim(shop, f"U-{n}") for n in numbers]

    async def measure(name: str, requests: list[bytes], script: str) -> RequestRow:
        await send_all(
            url.hostname or "", url.port or 0, requests[:WARM_UP], connections=CONNECTIONS
        )
        load = await send_all(
            url.hostname or "", url.port or 0, requests[WARM_UP:], connections=CONNECTIONS
        )
        variables: Mapping[str, str] = {
            "merchant_id": shop.merchant_id,
            "order_count": str(FLOOR_ORDERS),
        }
        floor = await pgbench(script, database_url=stack.database_url, variables=variables)
        return RequestRow(name=name, load=load, floor_per_second=floor)

    rows = [
        await measure("arrival, new visitor", arrivals, "arrival.sql"),
        await measure("webhook, new order", linked, "webhook.sql"),
    ]
    await send_all(url.hostname, url.port, unlinked, connections=CONNECTIONS)
    rows.append(await measure("claim, reported order", claims, "claim.sql"))
    return rows


def _arrival(shop: Shop, visitor: str) -> bytes:
    body = {"merchantId": shop.merchant_id, "landingUrl": "https://shop.example/"}
    return request("bench", "/user/track/arrival", {"x-client-id": visitor}, orjson.dumps(body))


def _webhook(shop: Shop, reference: str, visitor: str | None) -> bytes:
    body = orjson.dumps(
        {
            "id": reference,
            "customerId": "0",
            "status": "confirmed",
            "token": f"token-{reference}",
            "currency": "USD",
            "totalPrice": "59.80",
            "clientId": visitor,
            "items": [
                {
                    "productId": "sku-41",
                    "quantity": 2,
                    "price": "29.90",
                    "name": "blue-mug",
                    "title": "Blue mug",
                }
            ],
        }
    )
    signature = base64.b64encode(hmac.digest(SIGNING_KEY.encode(), body, hashlib.sha256)).decode()
    path = f"/ext/merchant/{shop.merchant_id}/webhook/custom"
    return request("bench", path, {"x-hmac-sha256": signature}, body)


def _claim(shop: Shop, reference: str) -> bytes:
    body = {
        "merchantId": shop.merchant_id,
        "orderId": reference,
        "customerId": "0",
        "token": f"token-{reference}",
    }
    headers = {"x-client-id": f"bench-{uuid4()}"}
    return request("bench", "/user/track/purchase", headers, orjson.dumps(body))
