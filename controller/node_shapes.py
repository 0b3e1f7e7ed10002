"""What is told of a swarm's nodes, as types. As `shapes.py` has the rest: pure, and nothing but declarations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from controller.shapes import UserId, described

NodeName = Annotated[str, Field(description="A node's name or id.", examples=["n1"])]


@described
class SwarmNode(TypedDict):
    id: str
    name: str
    """Its machine's host name."""
    address: str
    """Where published ports are reached on it."""
    role: str
    """`manager` or `worker`."""
    state: str
    """`ready`, or what else the managers say of it."""
    availability: str
    """`active`; `pause`: it takes no more sessions; `drain`: the swarm itself ends those that are there."""
    updated_at: datetime | None
    """When the managers last changed what they know of it: of one that is lost, since when. Null: not known."""
    leaving_since: datetime | None
    """Since when its sessions are to move to others; null: they are not."""
    labels: dict[str, str]
    cpus: float
    memory: int
    """Bytes."""
    reserved_cpus: float
    """By whatever runs there or is to."""
    reserved_memory: int
    """Bytes."""
    sessions: list[UserId]
    """Users whose sessions are there, as last seen."""


@described
class SwarmNodes(TypedDict):
    total: int
    nodes: list[SwarmNode]
    """None where there is one host only."""
    moving: list[UserId]
    """Users whose sessions are on their way to another node."""
    waiting: list[UserId]
    """Users whose sessions wait for their turn."""
    moves_at_once: int
    """So many are on their way at a time."""
