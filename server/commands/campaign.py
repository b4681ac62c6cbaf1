"""`guerdon campaign`: campaigns, by hand."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import click
from google.protobuf import json_format

from guerdon.campaign.v1 import campaign_pb2, campaign_pb2_grpc
from server.commands.mesh import asynchronous, call, find_mesh
from server.interception.strict_json.messages import FAULTS_MAX, read_body


@click.group()
def campaign() -> None:
    """Campaigns, by hand."""


@campaign.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--merchant", "merchant_id", required=True, help="Whose campaign: a UUID.")
@click.option("--publish/--draft", default=True, show_default=True, help="Whether it pays at once.")
@click.option("--check", is_flag=True, help="Say what is wrong with the file, create nothing.")
@asynchronous
async def create(file: Path, merchant_id: str, publish: bool, check: bool) -> None:
    """Creates a campaign from FILE and prints it as JSON.

    FILE holds a campaign as JSON, as POST /business/merchant/{id}/campaigns takes it in
    `campaign`. `examples/` has some.
    """
    request = campaign_pb2.CreateCampaignRequest(
        request_id=str(uuid4()), merchant_id=merchant_id, validate_only=check, publish=publish
    )
    faults = read_body(file.read_bytes(), request.campaign).faults
    if faults:
        said = [f"{each.path} {each.description}".strip() for each in faults[:FAULTS_MAX]]
        said += ["and more is wrong"] if len(faults) > FAULTS_MAX else []
        raise click.ClickException(f"{file} is not a campaign:\n  " + "\n  ".join(said))
    created: campaign_pb2.CreateCampaignResponse = await call(
        find_mesh(),
        lambda channel: campaign_pb2_grpc.CampaignServiceStub(channel).CreateCampaign,
        request,
    )
    if check:
        click.echo(f"Nothing is wrong with {file}; nothing was created.")
    else:
        click.echo(json_format.MessageToJson(created.campaign))
