"""`guerdon delivery`: what shops have sent, by hand."""

from __future__ import annotations

import click

from guerdon.purchases.v1 import purchases_pb2, purchases_pb2_grpc
from server.commands.counting import counted
from server.commands.mesh import asynchronous, call, find_mesh
from server.commands.printing import word_of
from server.commands.retrying import retry_deliveries

_STATES = {
    word_of(name, "STATE"): number
    for name, number in purchases_pb2.Delivery.State.items()
    if number != purchases_pb2.Delivery.STATE_UNSPECIFIED
}


@click.group()
def delivery() -> None:
    """What shops have sent, by hand."""


@delivery.command(name="list")
@click.argument("merchant")
@click.option(
    "--state",
    type=click.Choice([*_STATES, "any"]),
    default="dead",
    show_default=True,
    help="Which.",
)
@click.option("--most", type=click.IntRange(1, 500), default=50, show_default=True)
@asynchronous
async def list_deliveries(merchant: str, state: str, most: int) -> None:
    """Prints deliveries of MERCHANT, the most recent first, a line each: id, time, state, why."""
    found: purchases_pb2.ListDeliveriesResponse = await call(
        find_mesh(),
        lambda channel: purchases_pb2_grpc.PurchasesServiceStub(channel).ListDeliveries,
        purchases_pb2.ListDeliveriesRequest(
            merchant_id=merchant,
            state=_STATES.get(state, purchases_pb2.Delivery.STATE_UNSPECIFIED),
            page_size=most,
        ),
    )
    for each in found.deliveries:
        received = each.receive_time.ToDatetime().isoformat(timespec="seconds")
        told = word_of(purchases_pb2.Delivery.State.Name(each.state), "STATE")
        click.echo(f"{each.delivery_id} {received}Z {told} {each.failure_sentence}".rstrip())
    if found.next_page_token:
        click.echo("and more", err=True)


@delivery.command()
@click.argument("merchant")
@click.argument("delivery", required=False)
@asynchronous
async def retry(merchant: str, delivery: str | None) -> None:
    """Has a dead DELIVERY of MERCHANT applied again; without one, every dead one."""
    count = await retry_deliveries(find_mesh(), merchant, delivery)
    click.echo(f"{counted(count, 'delivery is', 'deliveries are')} applied again.")
