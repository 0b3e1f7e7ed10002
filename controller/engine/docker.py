"""The Engine protocol on one Docker host, through the Docker SDK. The only module that imports `docker`.

The SDK blocks, so its calls run in threads of ours: one pool for looks and one for changes, so that a slow start
never holds up an answer. What the SDK returns or raises becomes a frozen value or one of our errors here, once.
"""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import docker
import docker.errors
import docker.tls
import docker.types
import docker.utils
import requests
import requests.exceptions
import urllib3.exceptions
from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool

from controller.engine import EngineEvent, EngineInfo, hardening
from controller.engine.cgroups import CgroupReader
from controller.engine.firewall import Firewall
from controller.engine.hardening import SHARED_FOLDER
from controller.engine.ports import listener
from controller.engine.threads import Threads
from controller.errors import (
    EngineError,
    EngineRefused,
    EngineUnavailable,
    ImageMissing,
    NameConflict,
    NoSuchContainer,
    PortTaken,
)
from controller.fence import NOWHERE, Reach, bridge_name, network_name
from controller.model import USUAL_PROCESSES, Container, Limits, Phase, SessionSpec, Usage
from controller.spec import MAX_USER_ID, container_name, user_id_of

LABEL_INSTANCE = "mcm.instance"
LABEL_USER = "mcm.user-id"
LABEL_SPEC = "mcm.spec-hash"
LABEL_SESSION = "mcm.session-id"
LABEL_HARDENING = "mcm.hardening"
LABEL_TOKEN = "mcm.token-check"  # noqa: S105 - no secret: what a token is known by

HTTP_PORT = 8888
WS_PORT = 8889

BRIDGE = "com.docker.network.bridge."

LOOKS_AT_ONCE = 8
LOOK_TIMEOUT = 10
CHANGE_TIMEOUT = 60
"""Seconds that an engine may be silent during one call before we say that it does not answer."""

LIMITS = {"cpus": "CpuCfsQuota", "memory": "MemoryLimit", "swap": "SwapLimit", "processes": "PidsLimit"}
"""What engines say whether they can limit it, and where."""

EVENTS = frozenset({"create", "start", "die", "stop", "pause", "unpause", "destroy", "rename", "update", "oom"})

_NEVER = datetime(1, 1, 1, tzinfo=UTC)
_TAKEN = re.compile(
    r"(?:Bind for|listen tcp\d?|bind host port(?: for)?) \S*?:(\d+)(?: failed: |: bind: |/tcp: |:\S+/tcp: ).*already"
)

T = TypeVar("T")


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
        self._looks = _Lane("look", LOOKS_AT_ONCE, host, LOOK_TIMEOUT)
        self._changes = _Lane("change", threads_for_changes, host, CHANGE_TIMEOUT, keep=False)
        self._streams = Threads("engine-events", 2)

    # ------------------------------------------------------------ looks

    async def info(self) -> EngineInfo:
        return await self._look(self._info)

    async def survey(self) -> dict[int, tuple[Container, ...]]:
        found = await self._inspect_all(await self._look(self._ids))
        by_user: dict[int, tuple[Container, ...]] = {}
        for container in found:
            if container.ours and container.user_id is not None:
                by_user[container.user_id] = (*by_user.get(container.user_id, ()), container)
        self._known |= {user_id: tuple(c.id for c in containers) for user_id, containers in by_user.items()}
        return by_user

    async def find(self, user_id: int) -> tuple[Container, ...]:
        await self._know_host()
        return await self._look(partial(self._find, user_id=user_id))

    async def usage(self, containers: Sequence[Container]) -> dict[str, Usage]:
        return await self._looks.threads.run(partial(self._cgroups.read, containers))

    async def logs(self, container_id: str, tail: int) -> str:
        raw: bytes = await self._looks.run(lambda client: client.logs(container_id, tail=tail, timestamps=False))
        return raw.decode("utf-8", "replace")

    async def has_image(self, name: str) -> bool:
        """For `matlabctl doctor`; the controller learns it from the create that fails."""

        def look(client: docker.APIClient) -> bool:
            try:
                _get(client, f"/images/{name}/json")
            except docker.errors.NotFound:
                return False
            return True

        return await self._look(look)

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
        seen = await asyncio.gather(*(self._look(partial(self._inspect, ids=each)) for each in shares))
        return tuple(container for each in seen for container in each)

    async def _holder(self, port: int) -> str:
        """Who has this port, in words; empty where that cannot be seen."""
        filters = {"publish": f"{port}/tcp"}
        names = await self._look(lambda client: [row["Names"][0] for row in client.containers(filters=filters)])
        if names:
            return f"the container {names[0].removeprefix('/')}"
        return await self._looks.threads.run(partial(listener, port))

    async def _know_host(self) -> None:
        if not self._host_cpus:
            await self.info()

    def _info(self, client: docker.APIClient) -> EngineInfo:
        said = client.info()
        self._host_cpus = float(said["NCPU"])
        self._unlimited = tuple(name for name, can in LIMITS.items() if not said.get(can, True))
        rootless = "name=rootless" in (said.get("SecurityOptions") or ())
        now = _time(said["SystemTime"]) or datetime.now(UTC)
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
        # A hand may have given another user's container this name: then that user's it stays.
        return tuple(c if c.user_id == user_id else replace(c, ours=False) for c in seen)

    def _inspect(self, client: docker.APIClient, ids: Sequence[str]) -> list[Container]:
        found = []
        for id_or_name in ids:
            try:
                found.append(self._container(_get(client, f"/containers/{id_or_name}/json")))
            except docker.errors.NotFound as error:
                if not isinstance(_translated(error), NoSuchContainer):
                    raise
                continue  # it went away since it was listed
        return found

    # ------------------------------------------------------------ the network of all sessions

    async def enclose(self) -> str:
        await self._change(self._make_network)
        return await self._looks.threads.run(self._firewall.hold)

    async def enclosed(self) -> tuple[str, str]:
        """For `matlabctl doctor`, which changes nothing: why the network is not closed, and what root can type."""
        why_not = await self._looks.threads.run(self._firewall.look)
        return why_not, self._firewall.commands() if why_not else ""

    def _make_network(self, client: docker.APIClient) -> None:
        """Unless it is there.

        Raises:
            EngineRefused: what is there is none of ours.
        """
        with self._networking:
            try:
                found = _get(client, f"/networks/{self._network}")
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
        found = _get(client, f"/containers/{container_id}/json")
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
            await self._change(self._make_network)
        try:
            return await self._change(lambda client: self._create(client, spec))
        except EngineRefused as refused:
            if "is already in use by container" in str(refused):
                raise NameConflict(f"A container named {spec.name} exists already.") from refused
            raise

    async def start(self, container_id: str) -> None:
        try:
            await self._change(lambda client: client.start(container_id))
        except PortTaken as taken:
            raise PortTaken(taken.port, await self._holder(taken.port)) from taken
        except EngineRefused as refused:
            if re.search(r"network \S+ not found", str(refused)):  # the next look finds what to do about it
                with suppress(EngineError):
                    await self._change(self._make_network)
            raise

    async def stop(self, container_id: str) -> None:
        await self._change(lambda client: client.stop(container_id, timeout=self._grace(client, container_id)))

    async def restart(self, container_id: str) -> None:
        await self._change(lambda client: client.restart(container_id, timeout=self._grace(client, container_id)))

    async def remove(self, container_id: str) -> None:
        try:
            await self._change(lambda client: client.remove_container(container_id))
        except EngineRefused as refused:
            if "is already in progress" not in str(refused):
                raise

    async def unpause(self, container_id: str) -> None:
        await self._change(lambda client: client.unpause(container_id))

    async def rename(self, container_id: str, name: str) -> None:
        try:
            await self._change(lambda client: client.rename(container_id, name))
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

        def post(client: docker.APIClient) -> None:  # the SDK's own update_container does not know NanoCpus
            url = f"{client.base_url}/v{client.api_version}/containers/{container_id}/update"
            _accepted(client.post(url, json=wanted, timeout=CHANGE_TIMEOUT))
            self._rejoin(client, container_id)

        await self._change(post)

    # ------------------------------------------------------------ events

    @asynccontextmanager
    async def events(self) -> AsyncIterator[AsyncIterator[EngineEvent]]:
        loop = asyncio.get_running_loop()
        inbox: asyncio.Queue[EngineEvent | EngineUnavailable] = asyncio.Queue()
        stream = await self._look(lambda client: client.events(decode=True, filters={"type": "container"}))

        def pour() -> None:
            try:
                for said in stream:
                    event = self._event(said)
                    if event is not None:
                        loop.call_soon_threadsafe(inbox.put_nowait, event)
                end = EngineUnavailable("The Docker engine closed its stream of events.")
            except Exception as error:  # noqa: BLE001 - whatever ends the stream is told to its reader
                end = EngineUnavailable(f"The stream of the Docker engine's events broke: {_reason(error)}")
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

    # ------------------------------------------------------------ threads, and what comes out of them

    async def close(self) -> None:
        """Let go of the threads; calls under way are left to themselves."""
        self._streams.close()
        self._looks.close()
        self._changes.close()

    async def _look(self, call: Callable[[docker.APIClient], T]) -> T:
        try:
            return await self._looks.run(call)
        except EngineUnavailable:
            raise
        except EngineError as refused:  # a question cannot be refused: an engine that does is out of order
            raise EngineUnavailable(f"The Docker engine does not answer properly: {refused}") from refused

    async def _change(self, call: Callable[[docker.APIClient], T]) -> T:
        try:
            return await self._changes.run(call)
        except EngineUnavailable:
            self._looks.hang_up()  # on what was kept, an engine that takes nobody new would seem to be there
            raise

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
        own = _get(client, f"/containers/{container_id}/json")["Config"].get("StopTimeout")
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
                created_at=_time(said["Created"]) or _NEVER,
                started_at=_time(state["StartedAt"]),
                exit_code=int(state["ExitCode"]),
                oom_killed=bool(state["OOMKilled"]),
                error=state.get("Error") or "",
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
        labelled = labels.get(LABEL_USER, "") if labels.get(LABEL_INSTANCE) == self._instance else ""
        return user_id_of("", labelled, MAX_USER_ID) or user_id_of(self._prefix, name, MAX_USER_ID)


class _Lane:
    """A few threads with a client of their own, so that one kind of call never waits for the other."""

    def __init__(self, name: str, threads: int, host: str, timeout: int, *, keep: bool = True) -> None:
        """
        Args:
            keep: connections are kept for the next call. An engine that ends takes no new ones, but serves those that
                it has while it stops its containers: on one of these, what it stops would be started amid its end.
        """
        self.threads = Threads(f"engine-{name}", threads)
        self._connections = threads + 2  # the stream of events holds one, too
        self._host = host
        self._timeout = timeout
        self._keep = keep
        self._client: docker.APIClient | None = None
        self._connecting = threading.Lock()

    async def run(self, call: Callable[[docker.APIClient], T]) -> T:
        return await self.threads.run(partial(self._call, call))

    def close(self) -> None:
        self.threads.close()
        self.hang_up()

    def hang_up(self) -> None:
        """The next call makes a new connection; those under way come to their end."""
        if self._client is not None:
            self._client.close()

    def _call(self, call: Callable[[docker.APIClient], T]) -> T:
        """In a thread: one SDK call, its errors translated."""
        try:
            return call(self._connected())
        except docker.errors.APIError as error:
            raise _translated(error) from error
        except (
            docker.errors.DockerException,
            requests.exceptions.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
        ) as error:
            raise EngineUnavailable(f"The Docker engine does not answer: {_reason(error)}") from error
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
            raise EngineUnavailable(f"The Docker engine's answer is cut or garbled: {error!r}") from error

    def _connected(self) -> docker.APIClient:
        with self._connecting:
            if self._client is None:
                given = docker.utils.kwargs_from_env()
                self._client = docker.APIClient(
                    base_url=self._host or given.get("base_url"),
                    tls=given.get("tls", False),
                    version="auto",
                    timeout=self._timeout,
                    max_pool_size=self._connections,
                )
                self._client.headers["Connection"] = "keep-alive" if self._keep else "close"
                self._client.trust_env = False  # no proxy and no .netrc lead to an engine; a quarter of a call's CPU
                given_adapter = self._client.get_adapter(self._client.base_url)
                if isinstance(given_adapter, UnixHTTPAdapter):
                    one_pool = _OnePool(given_adapter.socket_path, max_pool_size=self._connections)
                    self._client.mount("http+docker://", one_pool)
            return self._client


class _OnePool(UnixHTTPAdapter):
    """The SDK's own has a pool of connections for each URL: of 100 containers nearly every look opened a new one."""

    def get_connection(self, url: str | bytes, proxies: object = None) -> Any:
        with self.pools.lock:
            if self.pools.get("") is None:
                self.pools[""] = _Pool("", self.socket_path, self.timeout, maxsize=self.max_pool_size)
            return self.pools[""]


class _Pool(UnixHTTPConnectionPool):
    timeout: Any
    """Seconds, as the SDK has it, and not urllib3's `Timeout`."""

    def _new_conn(self) -> Any:
        return _Link(self.base_url, self.socket_path, self.timeout)


class _Link(UnixHTTPConnection):
    def connect(self) -> None:
        """The SDK's own leaves the socket to the garbage collector where nobody listens."""
        link = socket.socket(socket.AF_UNIX)
        link.settimeout(self.timeout)
        try:
            link.connect(self.unix_socket)
        except OSError:
            link.close()
            raise
        self.sock = link


def _get(client: docker.APIClient, path: str) -> Any:
    """Below the SDK's session: its bookkeeping costs as much as the request itself, and a resync looks at everything.

    Raises:
        docker.errors.APIError: as the SDK's own calls.
    """
    request = _GET.copy()
    request.url = f"{client.base_url}/v{client.api_version}{path}"
    request.headers["Connection"] = str(client.headers["Connection"])
    adapter = client.get_adapter(request.url)
    safely: dict[str, Any] = {"verify": client.verify, "cert": client.cert}
    return _accepted(adapter.send(request, timeout=client.timeout, **safely)).json()


_GET = requests.Request("GET", "http://engine/").prepare()


def _accepted(answer: requests.Response) -> requests.Response:
    try:
        answer.raise_for_status()
    except requests.exceptions.HTTPError as error:
        docker.errors.create_api_error_from_http_exception(error)  # which raises
    return answer


def _translated(error: docker.errors.APIError) -> EngineError:
    said = str(error.explanation or error)
    taken = _TAKEN.search(said)
    if taken:
        return PortTaken(int(taken[1]))
    match error.status_code:
        case 404 if "image" in said.lower():
            return ImageMissing(f"The Docker engine says: {said}.")
        case 404 if "no such container" in said.lower():
            return NoSuchContainer(f"The Docker engine says: {said}.")
        case 502 | 503 | 504:
            return EngineUnavailable(f"The Docker engine does not answer: {said}")
        case _:
            return EngineRefused(said)


def _data_folder(host: Mapping[str, Any]) -> str:
    """What is mounted for the user's data; empty where nothing is. All of ours have one: a label alone may come from
    an image that somebody made of a session with `docker commit`."""
    mounts = host.get("Mounts") or ()
    return next((str(mount["Source"]) for mount in mounts if mount["Target"] == SHARED_FOLDER), "")


def _reason(error: Exception) -> str:
    """The innermost cause in the engine's or the system's own words."""
    inner: BaseException = error
    while inner.__cause__ or inner.__context__:
        inner = inner.__cause__ or inner.__context__ or inner
    return str(inner) or type(inner).__name__


def _time(said: str) -> datetime | None:
    """RFC 3339 with nanoseconds, as Go writes it; its zero time is `None`."""
    moment = datetime.fromisoformat(said).astimezone(UTC)
    return moment if moment.year > 1 else None
