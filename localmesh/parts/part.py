"""What a part says about itself, so that a stack runs it without knowing what it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from localmesh.ports import LOOPBACK, PortWish
from localmesh.probes import problem_of_port
from localmesh.processes import Child
from localmesh.progress import PartState

_READY_SECONDS_MAX = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class PartContext:
    """What a part may know of the stack that it belongs to.

    `folder` is the stack's, `ports` those of all parts that listen, by their names. `environment`
    is that of our own programs: what a person has set, what the stack decides, and what the parts
    of earlier steps have added.
    """

    folder: Path
    ports: Mapping[str, int]
    environment: Mapping[str, str]

    def address_of(self, name: str) -> str:
        return f"{LOOPBACK}:{self.ports[name]}"


class Part(ABC):
    """One child process of a stack: where it listens, how it is run, when it is ready.

    The stack calls `prepare`, `child`, `why_not_ready` until nothing is missing, `complete` and
    `additions`, in this order; `why_not_ready` also later, after the child was started again.
    """

    name: str
    # Where it would like to listen; None: nowhere.
    port: PortWish | None = None
    # Whether the next step waits for its end instead of for its being ready.
    runs_to_its_end = False
    ready_seconds_max: float = _READY_SECONDS_MAX

    async def prepare(self, context: PartContext) -> None:  # noqa: B027 - most need nothing
        """Makes what the child needs. Begins with the stack, beside everything else.

        Nothing of other parts is in the environment yet.
        """

    @abstractmethod
    def child(self, context: PartContext) -> Child:
        """How it is run, under the name of the part."""

    async def why_not_ready(self, context: PartContext) -> str:
        """What is missing; empty when nothing is. What listens nowhere is ready when it runs."""
        return "" if self.port is None else await problem_of_port(context.ports[self.name])

    async def complete(self, context: PartContext) -> None:  # noqa: B027 - most need nothing
        """What is left to do once it is ready, before the next step starts."""

    def additions(self, context: PartContext) -> Mapping[str, str]:
        """What it adds to the environment of our own programs in later steps."""
        return {}

    async def why_not_passed_on(self, name: str, context: PartContext) -> str:
        """For what stands in front of other parts: why it passes no calls on to one of them."""
        return ""

    def note(self, context: PartContext, state: PartState) -> str:
        """What is shown beside its name while the stack starts."""
        return "" if self.port is None else context.address_of(self.name)
