"""What bodies and answers of the API look like, as types: `openapi.py` makes the published schemas from them.

Pure, and nothing but declarations. A shape that is a value of `model.py` or of the store as it stands is not repeated
here. Descriptions are the docstrings, there as here. `state_shapes.py` has those of the desired state as a whole,
`event_shapes.py` those of what happened and of what changes. Tests hold the real answers to these shapes, key for key.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, Field, WithJsonSchema, with_config
from typing_extensions import TypeAliasType, TypedDict  # pydantic's: those of Python 3.11 tell it too little

from controller.errors import Problem
from controller.model import Activity, Condition, DiskUse, Phase, Progress, RunState, SessionHealth, Usage
from controller.store import Asked, Commit, Pending

described = with_config(ConfigDict(use_attribute_docstrings=True))
closed = with_config(ConfigDict(use_attribute_docstrings=True, extra="forbid"))  # it names all that it may have


UserId = TypeAliasType("UserId", Annotated[int, Field(ge=1, examples=[1])])
UserNumber = TypeAliasType("UserNumber", Annotated[str, Field(description="A user id.")])
ContainerId = TypeAliasType("ContainerId", Annotated[str, Field(description="The name of a user's container.")])
ContainerName = Annotated[str, Field(description="The name of the user's container.")]
ProfileName = TypeAliasType("ProfileName", Annotated[str, Field(description="One of the operator's profiles.")])
"""What these four may be, is a setting, which `openapi.py` adds."""
SessionId = TypeAliasType(
    "SessionId",
    Annotated[
        str,
        Field(
            pattern=r"^[A-Za-z0-9._:@-]{1,128}$",
            description="Whose session it is, in the words of the program that asked.",
        ),
    ],
)
Instant = Annotated[
    datetime,
    WithJsonSchema(
        {
            "type": "string",
            "format": "date-time",
            "description": "With time zone, as `2026-11-22T10:00:00Z`. A session that started before this moment is "
            "restarted once it has come.",
        }
    ),
]
Host = Annotated[str, Field(description="In a swarm: address of the node that the session is on, once it is on one.")]
HttpPort = Annotated[int, Field(description="On the host; its page answers there.")]
WsPort = Annotated[int, Field(description="On the host; its WebSocket answers there.")]
Service = Literal["healthy", "unhealthy", "unknown"]


def fields(shape: Any) -> set[str]:
    """The names that a body of this shape may have."""
    return set(shape.__annotations__)


# ---------------------------------------------------------------- errors


@described
class Error(TypedDict):
    """Why a call was not done. Further keys stand where the case asks for them."""

    error: str
    """A sentence for people."""
    code: str
    """A word for programs."""
    request_id: str
    """As in the header `X-Request-ID` and in the controller's log."""
    details: NotRequired[str]
    """What to do about it."""
    message: NotRequired[str]
    container_id: NotRequired[ContainerName]
    next_try: NotRequired[datetime | None]
    """When the controller tries again by itself."""
    allowed: NotRequired[list[str]]
    """What might have stood there."""
    fields: NotRequired[list[str]]
    """What was not known."""
    problems: NotRequired[list[Problem]]
    """Where a text is wrong."""
    pending: NotRequired[Pending | None]
    """What waits for approval."""
    user_ids: NotRequired[list[int]]


# ---------------------------------------------------------------- what callers rely on


@described
class ServiceDocument(TypedDict):
    service: str
    version: str
    """Of the contract with callers."""
    architecture: str
    websocket_service: str
    endpoints: dict[str, str]


@described
class Creation(TypedDict):
    """Whose session shall run. A field that is not known is ignored and named in `warnings`."""

    user_id: UserId
    session_id: NotRequired[SessionId]


@described
class SessionNamed(TypedDict):
    """A session that must be the current one, or nothing happens."""

    session_id: NotRequired[SessionId]


@described
class Created(TypedDict):
    container_id: ContainerName
    host: NotRequired[Host]
    http_port: HttpPort
    ws_port: WsPort
    status: Literal["running", "already_running", "pending"]
    message: str
    """What was done, or where it stands."""
    details: NotRequired[str]
    """Of a pending one: where to look."""
    warnings: NotRequired[list[str]]


@described
class Told(TypedDict):
    message: str
    container_id: ContainerName
    status: NotRequired[Literal["pending"]]
    """It is declared and worked on, and not there yet."""
    details: NotRequired[str]
    warnings: NotRequired[list[str]]


@described
class Measures(TypedDict):
    """As `docker stats` prints them, or `unknown`."""

    cpu_usage: Annotated[str, Field(description="In percent of one core, as `2.74%`; or `unknown`.")]
    memory_usage: Annotated[str, Field(description="As `2.302GiB / 4GiB`, or `unknown`.")]
    memory_percent: Annotated[str, Field(description="Of its limit, as `57.55%`; or `unknown`.")]


@described
class HealthRunning(Measures):
    container_id: ContainerName
    status: Literal["running"]
    started_at: datetime | None
    web_service: Service
    """A real HTTP GET of the page, a few seconds old at most."""
    websocket_service: Service
    """A real WebSocket handshake, a few seconds old at most."""
    host: NotRequired[Host]
    http_port: HttpPort
    ws_port: WsPort


@described
class HealthStopped(TypedDict):
    """Also of a user that is declared and has no container yet: go on polling."""

    container_id: ContainerName
    status: Literal["stopped"]
    started_at: datetime | None


@described
class LastKnown(Measures):
    status: Literal["absent", "unknown"] | Phase
    """`unknown`: the controller has not seen the session since it began."""


@described
class HealthUnknown(Measures):
    """The engine cannot be reached, or the node that the session is on."""

    container_id: ContainerName
    status: Literal["unknown"]
    started_at: datetime | None
    web_service: Literal["unknown"]
    websocket_service: Literal["unknown"]
    http_port: HttpPort
    ws_port: WsPort
    age_seconds: float | None
    """Of the last knowledge; null: there is none."""
    last_known: LastKnown
    details: str


Health = TypeAliasType("Health", HealthRunning | HealthStopped | HealthUnknown)


@described
class Staleness(TypedDict):
    stale: NotRequired[
        Annotated[Literal[True], Field(description="The engine cannot be reached: this is the last knowledge.")]
    ]
    age_seconds: NotRequired[Annotated[float | None, Field(description="Since the engine last answered.")]]


@described
class ListedContainer(TypedDict):
    container_id: ContainerName
    user_id: int
    status: Phase
    created: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$")]
    """In local time."""
    host: NotRequired[Host]
    http_port: HttpPort
    ws_port: WsPort


@described
class Containers(Staleness):
    total: int
    containers: list[ListedContainer]
    """By ascending user id."""


# ---------------------------------------------------------------- users


@closed
class UserEntry(TypedDict, total=False):
    """One user's entry of the desired state. `{}` is a running session with the defaults."""

    state: RunState
    """Left out: running."""
    profile: ProfileName
    session_id: SessionId
    restart_at: Instant
    paused: bool
    """Leave this user's container alone, whatever the rest says."""


@closed
class UserChange(TypedDict, total=False):
    """The fields to change; null is the default again."""

    state: RunState | None
    profile: ProfileName | None
    session_id: SessionId | None
    restart_at: Instant | None
    paused: bool | None


@closed
class OneOfMany(UserChange, total=False):
    """The fields to change; null is the default again. `restart_at` may be `now`, by the engine's clock."""

    restart_at: Instant | Literal["now"] | None  # type: ignore[misc]  # wider than of one alone


@closed
class UsersChange(TypedDict):
    users: dict[UserNumber, OneOfMany | None]
    """Each user by number, with what changes; null takes the user out."""
    force: NotRequired[bool]
    """Pass the brake: somebody has agreed that so many sessions end."""


@closed
class UserSession(TypedDict):
    """A session that must be the current one, or nothing happens."""

    session_id: NotRequired[SessionId]


@described
class Addresses(TypedDict):
    host: str
    http_port: HttpPort
    ws_port: WsPort


@described
class Resources(TypedDict):
    image: str
    cpus: float
    memory: int
    """Bytes."""


@described
class Desired(TypedDict):
    """The entry with its defaults filled in."""

    state: RunState
    profile: str
    session_id: SessionId | None
    restart_at: datetime | None
    paused: bool
    resources: Resources | None
    """Null: the profile is no longer in the settings."""


@described
class Node(TypedDict):
    """The machine of a swarm that the session is on."""

    name: str
    address: str
    """Where its ports are reached."""
    lost: str
    """Why it is not known what runs there; empty while it is."""
    leaving: bool
    """Its sessions are to move to others."""
    id: str
    """In the swarm: two machines may have one name."""


@described
class ObservedContainer(TypedDict):
    id: str
    name: str
    phase: Phase
    created_at: datetime
    started_at: datetime | None
    exit_code: int
    oom_killed: bool
    error: str
    """The engine's own words about the last failed start, or empty."""
    image: str
    cpus: float
    host_cpus: float
    """Cores of the engine's host."""
    memory: int
    """Bytes."""
    spec_hash: str
    session_id: SessionId | None
    """That it was made for."""
    processes: int | None
    """That it may have; null: this engine cannot limit them."""
    data_folder: str
    """On the engine's host; or a volume's name."""
    outdated: bool
    """Another version of the controller made it, which held sessions otherwise: its next start makes it anew."""
    loose: list[str]
    """In what it is held otherwise than it should be, for as long as it lives."""
    slack: list[str]
    """The same, of what an update puts right."""
    left_behind: bool
    """Its last start failed for what the engine has kept of the run before: after some tries it is made anew."""
    deferred: list[str]
    """What was declared since and comes into force with its next start."""
    node: Node | None
    """Null: the engine has one host only, or has not placed it."""


@described
class Services(TypedDict):
    """As they were last really asked."""

    web: Service
    websocket: Service
    checked_at: datetime | None
    ready_since: datetime | None
    """Since when both have answered without a break."""
    detail: str
    """Why not, when not."""


@described
class Observed(Staleness):
    status: Phase | None
    observed_at: datetime | None
    """When the engine last told of this container."""
    container: ObservedContainer | None
    services: Services
    session: SessionHealth | None
    """What the session tells of itself."""
    usage: Usage | None
    disk: DiskUse | None


@described
class User(TypedDict):
    """Everything about one user."""

    user_id: int
    container_id: ContainerName
    addresses: Addresses
    access_url: str | None
    """What opens the session's page, with the token where it asks for one."""
    ws_url: str | None
    desired: Desired | None
    """Null: not declared."""
    observed: Observed
    progress: Progress
    conditions: list[Condition]
    why: str
    """Where it stands, and what happens next and when."""
    paused: bool
    asked: Asked | None
    """Who last changed the entry."""
    generation: int


@described
class Users(Staleness):
    total: int
    users: list[User]
    """By ascending id."""


@described
class UserRemoved(TypedDict):
    message: str
    user_id: int
    status: NotRequired[Literal["pending"]]
    details: NotRequired[str]


@described
class LogLines(TypedDict):
    user_id: int
    container_id: ContainerName
    lines: list[str]


# ---------------------------------------------------------------- the controller


@described
class Branch(TypedDict):
    """How the state stands to the branch of git that it follows."""

    state: Literal["synced", "not in force", "unreachable", "never fetched"]
    url: str
    branch: str
    path: str
    write: bool
    commit: Commit | None
    """The branch's newest, as last fetched."""
    in_force: str | None
    """The last commit whose text came into force."""
    fetched_at: datetime | None
    error: str


@described
class WishStatus(TypedDict):
    source: str
    valid: bool
    """The text as it stands now is in force."""
    problems: list[Problem]
    since: datetime
    git: Branch | None
    """Null: the state follows no branch."""


@described
class EngineStatus(Staleness):
    reachable: bool
    version: str
    last_seen: datetime | None
    error: str
    open: str
    """Why sessions may reach through the network what they should not; empty where they cannot."""


@described
class Tally(TypedDict):
    declared: int
    containers: int
    running: int
    ready: int


@described
class Wanted(TypedDict):
    """What all that shall run may use."""

    sessions: float
    cpus: float
    memory: float
    """Bytes."""


@described
class Ceilings(TypedDict):
    """The most that the operator allows to all together; null is no ceiling."""

    sessions: float | None
    cpus: float | None
    memory: float | None


@described
class PolicyStatus(TypedDict):
    wanted: Wanted
    most: Ceilings
    standing: str
    """How that stands to each ceiling, in words; empty where there is none."""
    exceeded: str
    """The ceilings that are passed, in words."""


@described
class Overview(TypedDict):
    version: str
    """Of the program."""
    instance: str
    generation: int
    desired_state: WishStatus
    paused: bool
    """Nothing is done to any container."""
    pending: Pending | None
    """What waits for approval."""
    policy: PolicyStatus
    engine: EngineStatus
    queue: Activity
    users: Tally


@described
class Alive(TypedDict):
    status: Literal["alive"]


@described
class Ready(TypedDict):
    status: Literal["ready"]


@described
class Message(TypedDict):
    message: str
