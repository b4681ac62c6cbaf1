"""`guerdon rate`: exchange rates, by hand."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import click
from google.protobuf import json_format, timestamp_pb2

from guerdon.campaign.v1 import rate_pb2, rate_pb2_grpc
from server.commands.mesh import asynchronous, call, find_mesh


@click.group()
def rate() -> None:
    """Exchange rates, by hand."""


@rate.command(name="set")
@click.argument("base")
@click.argument("quote")
@click.argument("value", metavar="RATE")
@click.option("--at", metavar="TIME", help="When it was observed: 2026-01-08T10:15:31Z. Now.")
@click.option("--source", help="Who observed it; default `manual`.")
@click.option("--request-id", help="A UUID: the same one adds the same rate once.")
@asynchronous
async def set_rate(
    base: str,
    quote: str,
    value: str,
    at: str | None,
    source: str | None,
    request_id: str | None,
) -> None:
    """Adds what one unit of BASE was worth in QUOTE: `guerdon rate set EUR USD 1.0832`.

    Orders that wait for it are decided within seconds. Prints the rate as JSON.
    """
    added: rate_pb2.SetRateResponse = await call(
        find_mesh(),
        lambda channel: rate_pb2_grpc.RateServiceStub(channel).SetRate,
        rate_pb2.SetRateRequest(
            request_id=request_id or str(uuid4()),
            exchange_rate=rate_pb2.ExchangeRate(
                base_currency=base,
                quote_currency=quote,
                rate=value,
                observe_time=None if at is None else _instant(at),
                source=source or "",
            ),
        ),
    )
    click.echo(json_format.MessageToJson(added.exchange_rate))


@rate.command(name="list")
@click.option("--base", help="Only those of this currency.")
@click.option("--quote", help="Only those in this currency.")
@click.option("--most", type=click.IntRange(1, 500), default=50, show_default=True)
@asynchronous
async def list_rates(base: str | None, quote: str | None, most: int) -> None:
    """Prints the most recently observed rates, a line each."""
    found: rate_pb2.ListRatesResponse = await call(
        find_mesh(),
        lambda channel: rate_pb2_grpc.RateServiceStub(channel).ListRates,
        rate_pb2.ListRatesRequest(
            base_currency=base or "", quote_currency=quote or "", page_size=most
        ),
    )
    for each in found.exchange_rates:
        observed = each.observe_time.ToDatetime().isoformat(timespec="seconds")
        click.echo(
            f"{each.base_currency} {each.quote_currency} {each.rate} {observed}Z {each.source}"
        )


def _instant(text: str) -> timestamp_pb2.Timestamp:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        message = f"--at {text} is no time with its zone, as in 2026-01-08T10:15:31Z."
        raise click.ClickException(message)
    stamp = timestamp_pb2.Timestamp()
    stamp.FromDatetime(instant)
    return stamp
