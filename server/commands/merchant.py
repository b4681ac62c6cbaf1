"""`guerdon merchant`: merchants, by hand."""

from __future__ import annotations

import json
import secrets
from uuid import uuid4

import click
from google.protobuf import duration_pb2, json_format

from guerdon.business.v1 import business_pb2, business_pb2_grpc
from guerdon.type.v1 import money_pb2
from server.commands.mesh import Mesh, asynchronous, call, call_or_none, find_mesh
from vocabulary.signing_keys import standard_key

KEY_BYTES = 32


@click.group()
def merchant() -> None:
    """Merchants, by hand."""


@merchant.command()
@click.option("--name", required=True, help="What people call the shop.")
@click.option("--domain", required=True, help="The shop's host name: shop.example")
@click.option("--token", "token_address", required=True, help="The reward token's contract.")
@click.option("--chain-id", type=click.IntRange(min=1), default=31337, show_default=True)
@click.option("--decimals", type=click.IntRange(0, 36), default=6, show_default=True)
@click.option(
    "--currency", default="USD", show_default=True, help="What one token is worth one of."
)
@click.option("--reward-delay", type=click.IntRange(0, 86400), help="Seconds; default 60.")
@click.option(
    "--clock-tolerance",
    type=click.IntRange(0, 86400),
    help="How far the shop's clock may be behind. Seconds; default 300.",
)
@click.option("--request-id", help="A UUID: the same one creates the same merchant once.")
@asynchronous
async def create(
    name: str,
    domain: str,
    token_address: str,
    chain_id: int,
    decimals: int,
    currency: str,
    reward_delay: int | None,
    clock_tolerance: int | None,
    request_id: str | None,
) -> None:
    """Creates a merchant and a signing key for its shop, and prints both as JSON.

    The key is shown this once. Creating the merchant again under the same request id changes
    nothing and shows the key's last four characters only.
    """
    mesh = find_mesh()
    created: business_pb2.CreateMerchantResponse = await call(
        mesh,
        lambda channel: business_pb2_grpc.BusinessServiceStub(channel).CreateMerchant,
        business_pb2.CreateMerchantRequest(
            request_id=request_id or str(uuid4()),
            merchant=business_pb2.Merchant(
                name=name,
                domain=domain,
                reward_token=money_pb2.Token(
                    chain_id=chain_id,
                    token_address=token_address,
                    decimals=decimals,
                    peg_currency=currency,
                ),
                reward_delay_duration=_seconds(reward_delay),
                clock_tolerance_duration=_seconds(clock_tolerance),
            ),
        ),
    )
    document = json_format.MessageToDict(created.merchant)
    document["webhook"] = {
        "path": f"/ext/merchant/{created.merchant.merchant_id}/webhook/custom",
        **await _signing_key(mesh, created.merchant.merchant_id),
    }
    click.echo(json.dumps(document, indent=2))


def _seconds(seconds: int | None) -> duration_pb2.Duration | None:
    return None if seconds is None else duration_pb2.Duration(seconds=seconds)


async def _signing_key(mesh: Mesh, merchant_id: str) -> dict[str, str]:
    """Sets a fresh key, unless the merchant has one: then the shop signs with it already."""
    found: business_pb2.GetWebhookResponse | None = await call_or_none(
        mesh,
        lambda channel: business_pb2_grpc.BusinessServiceStub(channel).GetWebhook,
        business_pb2.GetWebhookRequest(merchant_id=merchant_id),
    )
    if found is not None:
        return {"signingKeySuffix": found.webhook.signing_key_suffix}
    key = standard_key(secrets.token_bytes(KEY_BYTES))
    await call(
        mesh,
        lambda channel: business_pb2_grpc.BusinessServiceStub(channel).UpdateWebhook,
        business_pb2.UpdateWebhookRequest(
            merchant_id=merchant_id, platform=business_pb2.PLATFORM_CUSTOM, signing_key=key
        ),
    )
    return {"signingKey": key}
