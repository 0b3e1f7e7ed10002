"""The Engine protocol on one Docker host, through the Docker SDK.

What the SDK returns becomes a frozen value here, once; what it raises, one of our errors in `lane.py`.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import docker
import docker.errors
import docker.types

from controller.engine import EngineEvent, EngineInfo, hardening
from controller.engine.cgroups import CgroupReader
from controller.engine.firewall import Firewall
from controller.engine.hardening import SHARED_FOLDER
from controller.engine.labels import (
    HTTP_PORT,
    LABEL_HARDENING,
    LABEL_INSTANCE,
    LABEL_SESSION,
    LABEL_SPEC,
    LABEL_TOKEN,
    LABEL_USER,
    WS_PORT,
    as_seen_by,
    by_user,
    user_of,
)
from controller.engine.lane import LOOKS_AT_ONCE, Lanes, get, left_behind, moment, post, reason, translated
from controller.engine.ports import listener
from controller.engine.threads import Threads
from controller.errors import (
    EngineError,
    EngineRefused,
    EngineUnavailable,
    NameConflict,
    NoRoom,
    NoSuchContainer,
    NoSuchNode,
    PortTaken,
)
from controller.fence import NOWHERE, Reach, bridge_name, network_name
from controller.model import USUAL_PROCESSES, Container, Limits, Machine, Phase, SessionSpec, Usage
from controller.spec import container_name

BRIDGE = "com.docker.network.bridge."

LIMITS = {"cpus": "CpuCfsQuota", "memory": "MemoryLimit", "swap": "SwapLimit", "processes": "PidsLimit"}
"""What engines say whether they can limit it, and where."""

EVENTS = frozenset({"create", "start", "die", "stop", "pause", "unpause", "destroy", "rename", "update", "oom"})

_NEVER = datetime(1, 1, 1, tzinfo=UTC)


class DockerEngine:
    def __init__(
        self,
        host: str,
        instance: str,
        container_prefix: str,
        stop_grace: float,
        threads_for_changes: int,
        reach: Reach = NOWHERE,
    ) -> None:
        """
        Args:
            host: as in `DOCKER_HOST`; empty for the SDK's default.
            instance: value of our instance label; containers without it are never changed.
            stop_grace: seconds a session has to end by itself.
            reach: what sessions may reach through the network.
        """
        self._instance = instance
        self._prefix = container_prefix
        self._stop_grace = stop_grace
        self._network = network_name(instance)
        self._network_id = ""
        """As it was last found; empty: not looked for yet."""
        self._networking = threading.Lock()
        self._firewall = Firewall(instance, reach)
        self._mark = hardening.mark(self._network)
        self._cgroups = CgroupReader()
        self._host_cpus = 0.0
        self._unlimited: tuple[str, ...] = ()
        self._known: dict[int, tuple[str, ...]] = {}
        """Ids of each user's containers as last seen: whatever they are called, and however old the next list is."""
        self._lanes = Lanes(host, threads_for_changes)
        self._streams = Threads("engine-events", 2)

    # ------------------------------------------------------------ looks

    async def info(self) -> EngineInfo:
        return await self._lanes.look(self._info)

    async def survey(self) -> dict[int, tuple[Container, ...]]:
        found = by_user(await self._inspect_all(await self._lanes.look(self._ids)))
        self._known |= {user_id: tuple(c.id for c in containers) for user_id, containers in found.items()}
        return found

    async def find(self, user_id: int) -> tuple[Container, ...]:
        await self._know_host()
        return await self._lanes.look(partial(self._find, user_id=user_id))

    async def usage(self, containers: Sequence[Container]) -> dict[str, Usage]:
        return await self._lanes.looks.threads.run(partial(self._cgroups.read, containers))

    async def logs(self, container_id: str, tail: int) -> str:
        raw: bytes = await self._lanes.looks.run(lambda client: client.logs(container_id, tail=tail, timestamps=False))
        return raw.decode("utf-8", "replace")

    async def has_image(self, name: str) -> bool:
        """For `matlabctl doctor`; the controller learns it from the create that fails."""

        def look(client: docker.APIClient) -> bool:
            try:
                get(client, f"/images/{name}/json")
            except docker.errors.NotFound:
                return False
            return True

        return await self._lanes.look(look)

    def _ids(self, client: docker.APIClient, *labels: str) -> list[str]:
        """Of our containers that carry these labels, too."""
        filters = {"label": [f"{LABEL_INSTANCE}={self._instance}", *labels]}
        return [row["Id"] for row in client.containers(all=True, filters=filters)]

    async def _inspect_all(self, ids: Iterable[str]) -> tuple[Container, ...]:
        """Those of `ids` that still exist, in that order."""
        await self._know_host()
        wanted = list(ids)
        share = -(-len(wanted) // LOOKS_AT_ONCE) or 1  # one hand-over to a thread for many, not one for each
        shares = [wanted[n : n + share] for n in range(0, len(wanted), share)]
        seen = await asyncio.gather(*(self._lanes.look(partial(self._inspect, ids=each)) for each in shares))
        return tuple(container for each in seen for container in each)

    async def _holder(self, port: int) -> str:
        """Who has this port, in words; empty where that cannot be seen."""
        filters = {"publish": f"{port}/tcp"}
        names = await self._lanes.look(lambda client: [row["Names"][0] for row in client.containers(filters=filters)])
        if names:
            return f"the container {names[0].removeprefix('/')}"
        return await self._lanes.looks.threads.run(partial(listener, port))

    async def _know_host(self) -> None:
        if not self._host_cpus:
            await self.info()

    def _info(self, client: docker.APIClient) -> EngineInfo:
        said = client.info()
        self._host_cpus = float(said["NCPU"])
        self._unlimited = tuple(name for name, can in LIMITS.items() if not said.get(can, True))
        rootless = "name=rootless" in (said.get("SecurityOptions") or ())
        now = moment(said["SystemTime"]) or datetime.now(UTC)
        return EngineInfo(said["ServerVersion"], now, self._unlimited, rootless)

    def _find(self, client: docker.APIClient, user_id: int) -> tuple[Container, ...]:
        """By name, and by the ids under which it was last seen; only where that finds none of ours, by label."""
        named = self._inspect(client, [container_name(self._prefix, user_id)])
        others = [each for each in self._known.get(user_id, ()) if each not in {c.id for c in named}]
        seen = [*named, *self._inspect(client, others)]
        ours = [c for c in seen if c.ours and c.user_id == user_id]
        if not ours:
            seen = [c for c in self._inspect(client, self._ids(client, f"{LABEL_USER}={user_id}")) if c.ours] or seen
            ours = [c for c in seen if c.ours and c.user_id == user_id]
        self._known[user_id] = tuple(c.id for c in ours)
        return as_seen_by(user_id, seen)

    def _inspect(self, client: docker.APIClient, ids: Sequence[str]) -> list[Container]:
        found = []
        for id_or_name in ids:
            try:
                found.append(self._container(get(client, f"/containers/{id_or_name}/json")))
            except docker.errors.NotFound as error:
                if not isinstance(translated(error), NoSuchContainer):
                    raise
                continue  # it went away since it was listed
        return found

    # ------------------------------------------------------------ the network of all sessions

    async def enclose(self) -> str:
        await self._lanes.change(self._make_network)
        return await self._lanes.looks.threads.run(self._firewall.hold)

    async def enclosed(self) -> tuple[str, str]:
        """For `matlabctl doctor`, which changes nothing: why the network is not closed, and what root can type."""
        why_not = await self._lanes.looks.threads.run(self._firewall.look)
        return why_not, self._firewall.commands() if why_not else ""

    def _make_network(self, client: docker.APIClient) -> None:
        """Unless it is there.

        Raises:
            EngineRefused: what is there is none of ours.
        """
        with self._networking:
            try:
                found = get(client, f"/networks/{self._network}")
            except docker.errors.NotFound:
                made = client.create_network(
                    self._network,
                    driver="bridge",
                    options={BRIDGE + "name": bridge_name(self._instance), BRIDGE + "enable_icc": "false"},
                    labels={LABEL_INSTANCE: self._instance},
                    check_duplicate=True,
                    enable_ipv6=False,
                )
                self._network_id = made["Id"]
                return
            options = found["Options"] or {}
            as_made = (
                (found["Labels"] or {}).get(LABEL_INSTANCE) == self._instance
                and (found["Driver"], found["EnableIPv6"]) == ("bridge", False)
                and options.get(BRIDGE + "name") == bridge_name(self._instance)
                and options.get(BRIDGE + "enable_icc") == "false"
            )
            if not as_made:
                raise EngineRefused(
                    f"There is a network {self._network} that this controller did not make, or not so: "
                    f"take it away with `docker network rm {self._network}`"
                )
            self._network_id = found["Id"]

    def _rejoin(self, client: docker.APIClient, container_id: str) -> None:
        """Into our network, and out of any other."""
        found = get(client, f"/containers/{container_id}/json")
        networks = found["NetworkSettings"]["Networks"]
        if found["HostConfig"]["NetworkMode"] != self._network:
            return  # it was made so
        for other in networks.keys() - {self._network}:
            client.disconnect_container_from_network(container_id, other)
        if self._network not in networks:
            client.connect_container_to_network(container_id, self._network)

    # ------------------------------------------------------------ changes, by id only

    async def create(self, spec: SessionSpec) -> str:
        await self._know_host()
        if not self._network_id:
            await self._lanes.change(self._make_network)
        try:
            return await self._lanes.change(lambda client: self._create(client, spec))
        except EngineRefused as refused:
            if "is already in use by container" in str(refused):
                raise NameConflict(f"A container named {spec.name} exists already.") from refused
            raise

    async def start(self, container_id: str) -> None:
        try:
            await self._lanes.change(lambda client: client.start(container_id))
        except PortTaken as taken:
            raise PortTaken(taken.port, await self._holder(taken.port)) from taken
        except EngineRefused as refused:
            if re.search(r"network \S+ not found", str(refused)):  # the next look finds what to do about it
                with suppress(EngineError):
                    await self._lanes.change(self._make_network)
            raise

    async def stop(self, container_id: str) -> None:
        await self._lanes.change(lambda client: client.stop(container_id, timeout=self._grace(client, container_id)))

    async def restart(self, container_id: str) -> None:
        await self._lanes.change(lambda client: client.restart(container_id, timeout=self._grace(client, container_id)))

    async def move(self, container_id: str) -> None:
        raise NoRoom("There is no other host that the session could move to.")

    async def machines(self) -> tuple[Machine, ...]:
        return ()

    async def drain(self, node_id: str) -> None:
        raise NoSuchNode("This engine is one host's: it has no nodes.")

    async def activate(self, node_id: str) -> None:
        raise NoSuchNode("This engine is one host's: it has no nodes.")

    async def forget(self, node_id: str) -> None:
        raise NoSuchNode("This engine is one host's: it has no nodes.")

    async def remove(self, container_id: str) -> None:
        try:
            await self._lanes.change(lambda client: client.remove_container(container_id))
        except EngineRefused as refused:
            if "is already in progress" not in str(refused):
                raise

    async def unpause(self, container_id: str) -> None:
        await self._lanes.change(lambda client: client.unpause(container_id))

    async def rename(self, container_id: str, name: str) -> None:
        try:
            await self._lanes.change(lambda client: client.rename(container_id, name))
        except EngineRefused as refused:
            if "already in use" in str(refused):
                raise NameConflict(f"A container named {name} exists already.") from refused
            raise

    async def update(self, container_id: str, limits: Limits) -> None:
        await self._know_host()
        wanted = {
            "NanoCpus": self._nano_cpus(limits.cpus),
            "Memory": limits.memory,
            "MemorySwap": limits.memory,
            "PidsLimit": limits.processes,
            "RestartPolicy": {"Name": "no"},
        }

        def put_right(client: docker.APIClient) -> None:  # the SDK's own update_container does not know NanoCpus
            post(client, f"/containers/{container_id}/update", wanted)
            self._rejoin(client, container_id)

        await self._lanes.change(put_right)

    # ------------------------------------------------------------ events

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[EngineEvent]]:
        loop = asyncio.get_running_loop()
        inbox: asyncio.Queue[EngineEvent | EngineUnavailable] = asyncio.Queue()
        since = int((await self.info()).now.timestamp())  # for Docker begins to answer before it begins to listen
        stream = await self._lanes.look(
            lambda client: client.events(since=since, decode=True, filters={"type": "container"})
        )

        def pour() -> None:
            try:
                for said in stream:
                    event = self._event(said)
                    if event is not None:
                        loop.call_soon_threadsafe(inbox.put_nowait, event)
                end = EngineUnavailable("The Docker engine closed its stream of events.")
            except Exception as error:  # noqa: BLE001 - whatever ends the stream is told to its reader
                end = EngineUnavailable(f"The stream of the Docker engine's events broke: {reason(error)}")
            loop.call_soon_threadsafe(inbox.put_nowait, end)

        async def read() -> AsyncIterator[EngineEvent]:
            while True:
                said = await inbox.get()
                if isinstance(said, EngineUnavailable):
                    raise said
                yield said

        pouring = self._streams.run(pour)
        try:
            yield read()
        finally:
            with suppress(OSError):  # the engine has hung up already
                stream.close()
            await pouring

    def _event(self, said: Mapping[str, Any]) -> EngineEvent | None:
        action = str(said.get("Action", "")).partition(":")[0]
        actor = said.get("Actor") or {}
        attributes = actor.get("Attributes") or {}
        if action not in EVENTS:
            return None
        user_id = self._user_id(attributes, str(attributes.get("name", "")))
        return None if user_id is None else EngineEvent(user_id, str(actor.get("ID", "")), action)

    async def close(self) -> None:
        """Let go of the threads; calls under way are left to themselves."""
        self._streams.close()
        self._lanes.close()

    # ------------------------------------------------------------ the engine's words ↔ ours

    def _create(self, client: docker.APIClient, spec: SessionSpec) -> str:
        session = {} if spec.session_id is None else {"MCM_SESSION_ID": spec.session_id}
        token = {"MCM_TOKEN_CHECK": spec.token_check} if spec.token_check else {}
        made = client.create_container(
            name=spec.name,
            image=spec.image,
            hostname=spec.name,
            user=spec.run_as,
            environment={**dict(spec.env), **session, **token},
            ports=[HTTP_PORT, WS_PORT],
            stop_timeout=spec.stop_grace_seconds,
            labels={
                LABEL_INSTANCE: self._instance,
                LABEL_USER: str(spec.user_id),
                LABEL_SPEC: spec.spec_hash,
                LABEL_HARDENING: self._mark,
                **({} if spec.session_id is None else {LABEL_SESSION: spec.session_id}),
                **({LABEL_TOKEN: spec.token_check} if spec.token_check else {}),
            },
            host_config={
                **client.create_host_config(
                    nano_cpus=self._nano_cpus(spec.cpus),
                    mem_limit=spec.memory,
                    memswap_limit=spec.memory,
                    shm_size=spec.shm,
                    pids_limit=spec.processes or USUAL_PROCESSES,
                    mounts=[docker.types.Mount(SHARED_FOLDER, spec.data_folder, type="bind")],
                    port_bindings={
                        HTTP_PORT: (spec.bind_address, spec.http_port),
                        WS_PORT: (spec.bind_address, spec.ws_port),
                    },
                    restart_policy={"Name": "no"},
                    network_mode=self._network,
                    extra_hosts=self._firewall.names,
                    dns_opt=self._firewall.resolver_options,
                ),
                **hardening.FLAGS,
            },
        )
        return str(made["Id"])

    def _grace(self, client: docker.APIClient, container_id: str) -> int:
        """Seconds that this container has to end by itself, as it was made."""
        own = get(client, f"/containers/{container_id}/json")["Config"].get("StopTimeout")
        return round(self._stop_grace) if own is None else int(own)

    def _nano_cpus(self, cpus: float) -> int:
        return round(min(cpus, self._host_cpus) * 1_000_000_000)

    def _container(self, said: Mapping[str, Any]) -> Container:
        try:
            state, config, host = said["State"], said["Config"], said["HostConfig"]
            labels = config.get("Labels") or {}
            name = str(said["Name"]).removeprefix("/")
            return Container(
                id=said["Id"],
                name=name,
                phase=Phase(state["Status"]),
                ours=labels.get(LABEL_INSTANCE) == self._instance and _data_folder(host) != "",
                user_id=self._user_id(labels, name),
                created_at=moment(said["Created"]) or _NEVER,
                started_at=moment(state["StartedAt"]),
                exit_code=int(state["ExitCode"]),
                oom_killed=bool(state["OOMKilled"]),
                error=state.get("Error") or "",
                left_behind=left_behind(state.get("Error") or ""),
                pid=int(state["Pid"]),
                image=config["Image"],
                cpus=host["NanoCpus"] / 1_000_000_000,
                host_cpus=self._host_cpus,
                memory=host["Memory"],
                spec_hash=labels.get(LABEL_SPEC, ""),
                session_id=labels.get(LABEL_SESSION),
                token_check=labels.get(LABEL_TOKEN, ""),
                processes=None if "processes" in self._unlimited else host["PidsLimit"] or 0,
                data_folder=_data_folder(host),
                outdated=labels.get(LABEL_HARDENING) != self._mark,
                loose=tuple(hardening.loose(said, self._network, self._network_id)),
                slack=tuple(hardening.slack(said, self._network, swap="swap" not in self._unlimited)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise EngineUnavailable(f"The Docker engine's answer about a container is garbled: {error!r}") from error

    def _user_id(self, labels: Mapping[str, str], name: str) -> int | None:
        return user_of(labels, name, self._instance, self._prefix)


def _data_folder(host: Mapping[str, Any]) -> str:
    """What is mounted for the user's data; empty where nothing is, or, under a foreigner, a tmpfs or a volume without a
    name. All of ours have one: a label alone may come from an image that somebody made of a session with `docker
    commit`."""
    mounts = host.get("Mounts") or ()
    return next((str(mount.get("Source", "")) for mount in mounts if mount["Target"] == SHARED_FOLDER), "")
