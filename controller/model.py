"""The values that every other module speaks in: frozen, and free of any look at the world.

Desired: what people asked for (`Wish`, `DesiredState`) and what that means for the engine (`Target`).
Observed: what the engine and the probes last said (`Container`, `Probe`, `Usage`, `UserView`).
Decided: what is to be done about the difference (`Action`, `Plan`).

Times are timezone-aware UTC. Sizes are bytes. CPUs are cores (1.5 is one and a half).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

USUAL_PROCESSES = 256
"""How many a container may have, where its profile says nothing else."""


class RunState(StrEnum):
    """What a wish may ask of a session. Absence is said by leaving the user out."""

    RUNNING = "running"
    STOPPED = "stopped"


class Phase(StrEnum):
    """A container's state, in Docker's own words (`State.Status` of inspect)."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"


# ---------------------------------------------------------------- desired


@dataclass(frozen=True, slots=True)
class Wish:
    """One user's entry in the desired state; a `None` field was left out and takes the default."""

    state: RunState | None = None
    profile: str | None = None
    session_id: str | None = None
    restart_at: datetime | None = None
    paused: bool = False
    """Nothing is done to the container, whatever the rest says."""


@dataclass(frozen=True, slots=True)
class DesiredState:
    """The whole wish. `users` is ordered by ascending id."""

    generation: int = 0
    default_profile: str | None = None
    users: Mapping[int, Wish] = field(default_factory=lambda: MappingProxyType({}))
    paused: bool = False
    """Nothing is done to any container."""

    def pauses(self, user_id: int) -> bool:
        wish = self.users.get(user_id)
        return self.paused or (wish is not None and wish.paused)

    def with_entry(self, user_id: int, wish: Wish | None) -> DesiredState:
        users = {**self.users, user_id: wish}
        left = {key: value for key, value in sorted(users.items()) if value is not None}
        return replace(self, users=MappingProxyType(left))


@dataclass(frozen=True, slots=True)
class Volume:
    """What a node mounts for a session, in the words of `mount`."""

    name: str
    """On the node. It stands for all of the rest."""
    type: str
    options: str
    device: str


@dataclass(frozen=True, slots=True)
class SessionSpec:
    """All that a user's container is made from. Two equal specs make interchangeable containers."""

    user_id: int
    name: str
    image: str
    cpus: float
    memory: int
    shm: int
    env: tuple[tuple[str, str], ...]
    """Sorted by name; without the session id, which is who asked, not what is to run."""
    data_folder: str
    """On the engine's host; mounted at `/home/matlab/shared`."""
    run_as: str
    """`uid:gid` of the processes in the container and owner of the data folder."""
    bind_address: str
    http_port: int
    ws_port: int
    spec_hash: str
    """Of every field above but cpus and memory, which can change under a running session."""
    profile: str
    session_id: str | None
    token_check: str = ""
    """What the container is to know its session's token by; empty: it asks for none. Each one made gets its own."""
    processes: int | None = None
    """How many the container may have, threads among them; `None`: `USUAL_PROCESSES`."""
    stop_grace_seconds: int | None = None
    """How long the session has to end by itself; `None`: as long as the operator's settings give to all."""
    node_labels: tuple[tuple[str, str], ...] | None = None
    """What a node of a swarm has to carry to take it; `None`: any takes it."""
    volume: Volume | None = None
    """In which the data folder is to be found on a node of a swarm; `None`: it is there as it is here."""

    @property
    def mounted(self) -> str:
        """What the session has its user's data from, as an engine tells of it."""
        return self.data_folder if self.volume is None else self.volume.name


@dataclass(frozen=True, slots=True)
class Target:
    """A wish with every default filled in: what the planner compares with the containers."""

    spec: SessionSpec
    state: RunState
    restart_at: datetime | None
    generation: int
    restart_of: tuple[str, datetime | None] | None = None
    """The run (container, its start) of which the restart was asked, where the engine's clock cannot tell: it was set
    back since that run began."""
    rested: bool = False
    """It was wanted stopped before, so that its container ended is no death."""


# ---------------------------------------------------------------- observed


@dataclass(frozen=True, slots=True)
class Node:
    """The machine of a swarm that a container is on."""

    name: str
    address: str
    """IP address where published ports are reached on it; empty where it is not known."""
    lost: str = ""
    """Why it is not known what runs there, in a sentence; empty while it is."""
    leaving: bool = False
    """Its sessions are to move to others."""
    id: str = ""
    """In the swarm: two machines may have one name."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A node of a swarm, as its managers tell of it."""

    id: str
    name: str
    address: str
    """IP address where published ports are reached on it; empty where it is not known."""
    role: str
    """`manager` or `worker`."""
    state: str
    """`ready`, or what else the managers say of it."""
    availability: str
    """`active`; `pause`: it takes no more sessions; `drain`: the swarm itself ends those that are there."""
    leaving_since: datetime | None
    """Since when its sessions are to move to others; `None`: they are not."""
    labels: Mapping[str, str]
    cpus: float
    memory: int
    updated_at: datetime | None = None
    """When the managers last changed what they know of it: of one that is lost, since when."""
    reserved_cpus: float = 0.0
    """By whatever runs there or is to."""
    reserved_memory: int = 0

    @property
    def takes_runs(self) -> bool:
        return self.availability == "active" and self.state == "ready"


@dataclass(frozen=True, slots=True)
class Container:
    """What one inspect said of one container."""

    id: str
    name: str
    phase: Phase
    ours: bool
    """We made it, and for the asked user. Nothing is ever done to one that is not."""
    user_id: int | None
    created_at: datetime
    started_at: datetime | None
    """`None` if it never started."""
    exit_code: int
    oom_killed: bool
    error: str
    """The engine's own words about the last failed start, or empty."""
    pid: int
    """Of the main process on the engine's host; 0 when not running."""
    image: str
    cpus: float
    host_cpus: float
    """Cores of the engine's host: it refuses any limit above."""
    memory: int
    spec_hash: str
    session_id: str | None
    token_check: str = ""
    """As in the spec that it was made from."""
    processes: int | None = None
    """How many it may have; `None`: this engine cannot limit them."""
    data_folder: str = ""
    """What is mounted at `/home/matlab/shared`: a folder on the engine's host, or a volume."""
    outdated: bool = False
    """A version of the controller made it that held sessions otherwise: it stays until it has to be started anew."""
    loose: tuple[str, ...] = ()
    """In what it is held less strictly than sessions are, in words, where only a new container puts that right."""
    slack: tuple[str, ...] = ()
    """The same, where an update puts it right."""
    left_behind: bool = False
    """Its last start failed because the engine has kept something of the run before."""
    deferred: tuple[str, ...] = ()
    """What was declared since and comes into force with its next run, in words."""
    node: Node | None = None
    """`None`: the engine has one host only, or has not placed it."""
    awaited: bool = False
    """A run of it was begun, and waits for a node that takes it: it may come up at any time."""
    end_unseen: bool = False
    """It was told to end, and whoever told it did not wait until it had."""


class SessionState(StrEnum):
    """What a session's interpreter is doing, in the words of `/healthz`."""

    STARTING = "starting"
    BUSY = "busy"
    IDLE = "idle"
    DOWN = "down"
    """Waiting to be started again."""


@dataclass(frozen=True, slots=True)
class SessionHealth:
    """What a session's service tells of itself on `/healthz`."""

    state: SessionState
    since: datetime
    last_activity: datetime
    """When somebody last did something with the session; watching it is nothing."""
    interpreter: str
    """Name and version; the latter comes with the first start."""
    restarts: int
    """Of the interpreter, since the service started."""
    safe_mode: bool
    """The interpreter runs without the user's startup.m, in which one before it died."""
    started_at: datetime
    """When the service started."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What the two services of a session answered when they were really asked."""

    web: bool
    websocket: bool
    checked_at: datetime
    detail: str
    """Why not, when not; empty when both answered."""
    session: SessionHealth | None = None
    """`None` where the web service did not tell."""
    web_since: datetime | None = None
    """Since when `web` is as it is."""
    session_since: datetime | None = None
    """Since when `session_up` is as it is."""

    @property
    def ready(self) -> bool:
        return self.web and self.websocket

    @property
    def session_up(self) -> bool:
        """Commands can be sent, and there is an interpreter that carries them out."""
        told = self.session is None or self.session.state in (SessionState.BUSY, SessionState.IDLE)
        return self.websocket and told

    @property
    def unchanged_seconds(self) -> float:
        """How long both have been as they are."""
        latest = max(self.web_since or self.checked_at, self.session_since or self.checked_at)
        return (self.checked_at - latest).total_seconds()

    def after(self, before: Probe | None) -> Probe:
        """The same, with since when things are so; `before` is the probe before it of the same run."""
        web_since = session_since = self.checked_at
        if before is not None and before.web is self.web:
            web_since = before.web_since or web_since
        if before is not None and before.session_up is self.session_up:
            session_since = before.session_since or session_since
        return replace(self, web_since=web_since, session_since=session_since)


@dataclass(frozen=True, slots=True)
class Usage:
    """Resources as `docker stats` computes them."""

    cpu_percent: float
    """Of one core: 200 is two cores busy."""
    memory: int
    """In use, without the page cache that the kernel can take back."""
    memory_limit: int
    sampled_at: datetime


@dataclass(frozen=True, slots=True)
class DiskUse:
    """What a user's folder takes on the disk, against the quota of the user's profile."""

    size: int
    complete: bool
    """All was counted; else there is at least so much."""
    measured_at: datetime
    quota: int | None
    """`None`: there is none."""
    over_since: datetime | None
    """When it was found to be over its quota, from which it has not come down since; `None`: it is not."""


@dataclass(frozen=True, slots=True)
class EngineView:
    """What we know of the engine, and how old that knowledge is."""

    reachable: bool = False
    version: str = ""
    last_seen: datetime | None = None
    """When the engine last answered; `None` if it never did."""
    error: str = "not asked yet"
    """Why it cannot be reached; empty while it can."""
    open: str = ""
    """Why sessions may reach through the network what they should not, in a sentence; empty where they cannot."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the reconciler has come with one user; written by it alone."""

    passes: int = 0
    """Finished passes since the controller started; a waiter compares it with what it saw before."""
    generation: int = 0
    """Of the desired state that the last finished pass acted on."""
    settled: bool = False
    """The last finished pass found nothing left to do."""
    doing: str = ""
    """The action under way with its reason, or empty."""
    last: str = ""
    """The last finished action with its reason, or empty."""
    error: str = ""
    """Why the last action failed: a sentence, or empty."""
    code: str = ""
    """That error's code (snake_case), or empty."""
    hint: str = ""
    """What a person can do about it, or empty."""
    permanent: bool = False
    """Only a change of the wish or of the world will help."""
    failures: int = 0
    """Failures in a row."""
    failing_since: datetime | None = None
    next_try: datetime | None = None
    """When the next attempt is due, or `None`."""
    waiting: str = ""
    """What is waited for before the next action, though nothing failed; or empty."""


@dataclass(frozen=True, slots=True)
class UserView:
    """All that is known of one user's session at one moment."""

    user_id: int
    engine: EngineView
    container: Container | None = None
    """One of ours: what only has the name of the user's container is not in here."""
    observed_at: datetime | None = None
    """When the engine last told about this container; `None` if it never did."""
    probe: Probe | None = None
    ready_since: datetime | None = None
    """Since when both services answered without a break; `None` while they do not."""
    usage: Usage | None = None
    progress: Progress = Progress()
    disk: DiskUse | None = None
    """`None` until the user's folder was measured."""
    asked_at: float = 0.0
    """When the engine was asked for what is known of the container, by `time.monotonic`: a clock that nobody sets."""


# ---------------------------------------------------------------- decided


@dataclass(frozen=True, slots=True)
class Limits:
    """What can change under a running session."""

    cpus: float
    memory: int
    processes: int


@dataclass(frozen=True, slots=True)
class Create:
    spec: SessionSpec
    reason: str


@dataclass(frozen=True, slots=True)
class Start:
    container_id: str
    reason: str
    after_crash: bool = False
    """The container was running and died: too many of these in a row wait longer and longer."""


@dataclass(frozen=True, slots=True)
class Stop:
    container_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Remove:
    container_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Update:
    """Put limits and networks right under the running session."""

    container_id: str
    limits: Limits
    reason: str


@dataclass(frozen=True, slots=True)
class Restart:
    container_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Move:
    """Restart it on another node than it is on."""

    container_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Unpause:
    container_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rename:
    """Give a container of ours its name back, under the running session."""

    container_id: str
    name: str
    reason: str


Action = Create | Start | Stop | Remove | Update | Restart | Move | Unpause | Rename


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, in order, and when to look again though nothing happened."""

    actions: tuple[Action, ...] = ()
    look_again_at: datetime | None = None
    waiting_for: str = ""
    """What would be done, were it not for a backoff, or what the engine is busy with; empty when all is as wanted."""
    in_the_way: Container | None = None
    """A container that is not ours and has the name that we need."""


@dataclass(frozen=True, slots=True)
class Retry:
    """One user's record of failures; an input of the planner, kept by the reconciler."""

    failures: int = 0
    """In a row, of whatever kind."""
    not_before: datetime | None = None
    since: datetime | None = None
    of_kind: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """How many of them were of each kind, by the error's code: only these make the wait longer."""


@dataclass(frozen=True, slots=True)
class Activity:
    """What the loop is busy with, in numbers of users."""

    queued: int
    working: int
    starting: int
    """Holding one of the start slots."""
    backing_off: int
    resyncs: int = 0
    """Full comparisons since the controller started."""
    resync_ms: int = 0
    """What the last one took, in milliseconds."""


# ---------------------------------------------------------------- shown


class Truth(StrEnum):
    """A condition's status, in Kubernetes' words."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


@dataclass(frozen=True, slots=True)
class Condition:
    """One of `Ready`, `Reconciling`, `Stalled`, `Degraded`, `WebReady`, `SessionReady`, `Busy`, `Enclosed` and
    `WithinQuota`."""

    type: str
    status: Truth
    reason: str
    """One CamelCase word for programs."""
    message: str
    """A sentence for people."""
    since: datetime | None
    observed_generation: int
