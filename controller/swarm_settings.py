"""Settings about a swarm that have several parts: users' data, and the way to the nodes. A part of `settings.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from controller.fields import Line, Whole, absolute_path, clash, setting, whole
from controller.target import Export

PemFile = Annotated[Path, BeforeValidator(absolute_path)]


def _pem(words: str) -> Any:
    return Field(description=words, json_schema_extra={"allowed": "a path", "default": "none"})


EVERYWHERE_THE_SAME = frozenset({"nfs", "nfs4", "cifs", "smb3", "ceph", "lustre", "glusterfs"})
"""Kinds of file systems that are one, from wherever they are mounted."""


class NodeEngineSettings(BaseModel):
    """How the nodes' own engines are reached, over mutual TLS: `swarm_nodes`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    ca: PemFile = _pem("File with the certificate of the authority that vouches for the nodes' engines, in PEM.")
    cert: PemFile = _pem("File with the certificate that the controller shows them, in PEM.")
    key: PemFile = _pem("File with that certificate's key, in PEM.")
    port: Whole = whole(2376, "Port that they listen on.", 1, 65535)


class VolumeSettings(BaseModel):
    """A file system that each node mounts for a session: `swarm_volume`."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    type: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9._-]{0,31}$")] = setting(
        "nfs", "Kind of file system, as `mount -t` has it.", "a word such as `nfs`"
    )
    options: Line = Field(
        description="Options of the mount, as `mount -o` has them. No secrets: anyone who may inspect the service can "
        "read them.",
        json_schema_extra={"allowed": "text such as `addr=10.0.0.9,rw,nfsvers=4.2,hard`", "default": "none"},
    )
    device: Annotated[str, StringConstraints(pattern=r"^[^\p{C}\s]+[^\p{C}\s/]$", max_length=1024)] = Field(
        description="What is mounted: in it, as in `data_root`, each user's data is `user_<id>`.",
        json_schema_extra={"allowed": "text such as `:/export/matlab`, with no `/` at its end", "default": "none"},
    )
    shared: bool = setting(
        False,
        "That it is the same on every node, where its type does not say so. A session that starts on another node "
        "would not find its data otherwise.",
        "true or false",
    )

    @property
    def export(self) -> Export:
        return Export(self.type, self.options, self.device)

    @model_validator(mode="after")
    def _follows_its_user(self) -> Self:
        if not (self.shared or self.type in EVERYWHERE_THE_SAME):
            raise clash(
                f"swarm_volume of type {self.type} may be another on each node: users would not find their data where "
                "their sessions come up next. Name a file system that is shared, or say `shared: true` if this one is",
                ("swarm_volume", "type"),
            )
        return self
