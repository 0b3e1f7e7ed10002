"""How an engine is spoken to: the SDK's calls in a few threads of ours, and what goes wrong in them as errors of ours.

The SDK blocks, so no loop calls it. Looks have a lane of their own and changes another, so that a slow start holds up
no answer. What is asked, and what the answers mean, is left to those who have a lane.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar
from urllib.parse import quote

import docker
import docker.errors
import docker.tls
import docker.utils
import requests
import requests.exceptions
import urllib3.exceptions
from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool

from controller.engine.threads import Threads
from controller.errors import (
    EngineError,
    EngineRefused,
    EngineUnavailable,
    ImageMissing,
    LeftBehind,
    NoSuchContainer,
    PortTaken,
)

LOOKS_AT_ONCE = 8
LOOK_TIMEOUT = 10
CHANGE_TIMEOUT = 60
"""Seconds that an engine may be silent during one call before we say that it does not answer."""

_TAKEN = re.compile(
    r"(?:Bind for|listen tcp\d?|bind host port(?: for)?) \S*?:(\d+)(?: failed: |: bind: |/tcp: |:\S+/tcp: ).*already"
)

_LEFT = re.compile(
    r"container with id exists|(?:task|container) \S+ already exists|mkdir \S*/containerd/\S+: file exists"
)
"""What containerd, its shim and runc have kept of a run says so: moby/moby#36145, #39630, #50040."""

_GET = requests.Request("GET", "http://engine/").prepare()

T = TypeVar("T")


class Lane:
    """A few threads with a client of their own, so that one kind of call never waits for the other."""

    def __init__(
        self,
        name: str,
        threads: int,
        host: str,
        timeout: int,
        *,
        keep: bool = True,
        tls: docker.tls.TLSConfig | None = None,
    ) -> None:
        """
        Args:
            name: what its threads are called by.
            threads: how many calls there are at once; more of them wait.
            host: as in `DOCKER_HOST`; empty for the SDK's default.
            timeout: seconds that the engine may be silent during one call.
            keep: connections are kept for the next call. An engine that ends takes no new ones, but serves those that
                it has while it stops its containers: on one of these, what it stops would be started amid its end.
            tls: who we are and whom we trust; `None`: as the environment says.
        """
        self.threads = Threads(f"engine-{name}", threads)
        self._connections = threads + 2  # the stream of events holds one, too
        self._host = host
        self._timeout = timeout
        self._keep = keep
        self._tls = tls
        self._client: docker.APIClient | None = None
        self._connecting = threading.Lock()

    async def run(self, call: Callable[[docker.APIClient], T]) -> T:
        """What `call` returns, in a thread.

        Raises:
            EngineUnavailable: it does not answer, or what it says is cut or garbled.
            EngineError: another of its kind, as `translated` reads what the engine refuses.
        """
        return await self.threads.run(partial(self._call, call))

    def close(self) -> None:
        """Let go of the threads; calls under way are left to themselves."""
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
            raise translated(error) from error
        except (
            docker.errors.DockerException,
            requests.exceptions.RequestException,
            urllib3.exceptions.HTTPError,
            OSError,
        ) as error:
            raise EngineUnavailable(f"The Docker engine does not answer: {reason(error)}") from error
        except (ValueError, TypeError, LookupError, ArithmeticError, AttributeError) as error:
            raise EngineUnavailable(f"The Docker engine's answer is cut or garbled: {error!r}") from error

    def _connected(self) -> docker.APIClient:
        with self._connecting:
            if self._client is None:
                given = docker.utils.kwargs_from_env()
                self._client = Client(
                    base_url=self._host or given.get("base_url"),
                    tls=self._tls or given.get("tls", False),
                    version="auto",
                    timeout=self._timeout,
                    max_pool_size=self._connections,
                )
                self._client.headers["Connection"] = "keep-alive" if self._keep else "close"
                given_adapter = self._client.get_adapter(self._client.base_url)
                if isinstance(given_adapter, UnixHTTPAdapter):
                    one_pool = OnePool(given_adapter.socket_path, max_pool_size=self._connections)
                    self._client.mount("http+docker://", one_pool)
            return self._client


class Lanes:
    """The two ways to an engine."""

    def __init__(self, host: str, threads_for_changes: int) -> None:
        self.looks = Lane("look", LOOKS_AT_ONCE, host, LOOK_TIMEOUT)
        self._changes = Lane("change", threads_for_changes, host, CHANGE_TIMEOUT, keep=False)

    async def look(self, call: Callable[[docker.APIClient], T]) -> T:
        """Raises EngineUnavailable, NoSuchContainer."""
        try:
            return await self.looks.run(call)
        except (EngineUnavailable, NoSuchContainer):
            raise
        except EngineError as refused:  # a question cannot be refused: an engine that does is out of order
            raise EngineUnavailable(f"The Docker engine does not answer properly: {refused}") from refused

    async def change(self, call: Callable[[docker.APIClient], T]) -> T:
        """Raises EngineError, as `Lane.run`."""
        try:
            return await self._changes.run(call)
        except EngineUnavailable:
            self.looks.hang_up()  # on what was kept, an engine that takes nobody new would seem to be there
            raise

    def close(self) -> None:
        """Let go of the threads; calls under way are left to themselves."""
        self.looks.close()
        self._changes.close()


def get(client: docker.APIClient, path: str) -> Any:
    """The JSON that the engine answers to a GET of `path`, such as `/containers/3f2a/json`.

    Below the SDK's session: its bookkeeping costs as much as the request itself, and a resync looks at everything.

    Raises:
        docker.errors.APIError: as the SDK's own calls.
    """
    request = _GET.copy()
    request.url = _url(client, path)
    request.headers["Connection"] = str(client.headers["Connection"])
    adapter = client.get_adapter(request.url)
    safely: dict[str, Any] = {"verify": client.verify, "cert": client.cert}
    return _accepted(adapter.send(request, timeout=client.timeout, **safely)).json()


def listed(client: docker.APIClient, what: str, **filters: list[str]) -> list[dict[str, Any]]:
    """The services or tasks (`what`) of a swarm that the filters let through. Raises docker.errors.APIError."""
    found: list[dict[str, Any]] = get(client, f"/{what}?filters={quote(json.dumps(filters))}")
    return found


def post(client: docker.APIClient, path: str, what: Any, timeout: float = CHANGE_TIMEOUT) -> requests.Response:
    """What the engine answers to a POST of `what`, where it did what it was asked. Raises docker.errors.APIError."""
    return _accepted(client.post(_url(client, path), json=what, timeout=timeout))


def delete(client: docker.APIClient, path: str) -> None:
    """Raises docker.errors.APIError."""
    _accepted(client.delete(_url(client, path), timeout=CHANGE_TIMEOUT))


def _url(client: docker.APIClient, path: str) -> str:
    return f"{client.base_url}/v{client.api_version}{path}"


def _accepted(answer: requests.Response) -> requests.Response:
    """Raises docker.errors.APIError."""
    try:
        answer.raise_for_status()
    except requests.exceptions.HTTPError as error:
        docker.errors.create_api_error_from_http_exception(error)  # which raises
    return answer


def translated(error: docker.errors.APIError) -> EngineError:
    """What an engine refuses as one of our errors; by its words where the status alone says too little."""
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
        case _ if left_behind(said):
            return LeftBehind(said)
        case _:
            return EngineRefused(said)


def left_behind(said: str) -> bool:
    """Whether an engine says that it has kept something of a container's last run."""
    return _LEFT.search(said) is not None


def reason(error: Exception) -> str:
    """The innermost cause in the engine's or the system's own words."""
    inner: BaseException = error
    while inner.__cause__ or inner.__context__:
        inner = inner.__cause__ or inner.__context__ or inner
    said = inner.strerror if isinstance(inner, OSError) else None  # "[Errno 2]" tells nobody anything
    return said or str(inner) or type(inner).__name__


def moment(said: str) -> datetime | None:
    """RFC 3339 with nanoseconds, as Go writes it; its zero time is `None`."""
    told = datetime.fromisoformat(said).astimezone(UTC)
    return told if told.year > 1 else None


class Client(docker.APIClient):
    """Without the environment's proxies, `.netrc` and authorities: none of them leads to an engine, and to look for
    them is a quarter of a call's CPU. That goes for what the SDK asks while it is made as well.
    """

    @property
    def trust_env(self) -> bool:
        return False

    @trust_env.setter
    def trust_env(self, value: bool) -> None:
        """What `requests` sets it to does not count."""


class OnePool(UnixHTTPAdapter):
    """The SDK's own has a pool of connections for each URL: of 100 containers nearly every look opened a new one."""

    def get_connection(self, url: str | bytes, proxies: object = None) -> Any:
        with self.pools.lock:
            if self.pools.get("") is None:
                self.pools[""] = Pool("", self.socket_path, self.timeout, maxsize=self.max_pool_size)
            return self.pools[""]


class Pool(UnixHTTPConnectionPool):
    """Of links as below."""

    timeout: Any
    """Seconds, as the SDK has it, and not urllib3's `Timeout`."""

    def _new_conn(self) -> Any:
        return Link(self.base_url, self.socket_path, self.timeout)


class Link(UnixHTTPConnection):
    """One connection to the engine's socket, closed where it fails."""

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
