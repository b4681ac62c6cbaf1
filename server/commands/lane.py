"""`guerdon lane`: where the rewards of a merchant stand, and stopping and going on."""

from __future__ import annotations

import click

from guerdon.orchestration.v1 import lane_pb2, lane_pb2_grpc
from guerdon.rewards.v1 import rewards_pb2, rewards_pb2_grpc
from server.commands.mesh import asynchronous, call, find_mesh
from server.commands.printing import document_of, word_of


@click.group()
def lane() -> None:
    """Where the rewards of a merchant stand; stopping and going on."""


@lane.command()
@click.argument("merchant")
@asynchronous
async def show(merchant: str) -> None:
    """Prints how far deciding has come at MERCHANT, and what stands in its way, as JSON."""
    found: lane_pb2.GetLaneResponse = await call(
        find_mesh(),
        lambda channel: lane_pb2_grpc.LaneServiceStub(channel).GetLane,
        lane_pb2.GetLaneRequest(merchant_id=merchant),
    )
    click.echo(document_of(found.lane))


@lane.command()
@click.argument("merchants", metavar="MERCHANT...", nargs=-1, required=True)
@asynchronous
async def hold(merchants: tuple[str, ...]) -> None:
    """Stops deciding rewards of each MERCHANT. What is sent goes on being recorded."""
    mesh = find_mesh()
    for merchant in merchants:
        await call(
            mesh,
            lambda channel: lane_pb2_grpc.LaneServiceStub(channel).HoldLane,
            lane_pb2.HoldLaneRequest(merchant_id=merchant),
        )
        click.echo(f"The lane of {merchant} is held.")


@lane.command()
@click.argument("merchants", metavar="MERCHANT...", nargs=-1, required=True)
@asynchronous
async def release(merchants: tuple[str, ...]) -> None:
    """Lets rewards of each MERCHANT be decided again."""
    mesh = find_mesh()
    for merchant in merchants:
        done: lane_pb2.ReleaseLaneResponse = await call(
            mesh,
            lambda channel: lane_pb2_grpc.LaneServiceStub(channel).ReleaseLane,
            lane_pb2.ReleaseLaneRequest(merchant_id=merchant),
        )
        click.echo(f"The lane of {merchant} is released; {done.lane.due_count} events are due.")


@lane.command()
@click.argument("merchant")
@click.option("--most", type=click.IntRange(1, 500), default=50, show_default=True)
@asynchronous
async def dead(merchant: str, most: int) -> None:
    """Prints the dead events of MERCHANT, the most recent first, a line each: id, event, why.

    `guerdon work retry --merchant MERCHANT` has them decided again.
    """
    found: rewards_pb2.ListInteractionsResponse = await call(
        find_mesh(),
        lambda channel: rewards_pb2_grpc.RewardsServiceStub(channel).ListInteractions,
        rewards_pb2.ListInteractionsRequest(
            merchant_id=merchant, state=rewards_pb2.Interaction.STATE_DEAD, page_size=most
        ),
    )
    for each in found.interactions:
        why = word_of(rewards_pb2.Obstacle.Name(each.obstacle), "OBSTACLE")
        click.echo(f"{each.interaction_id} {each.event_reference} {why}")
    if found.next_page_token:
        click.echo("and more", err=True)
