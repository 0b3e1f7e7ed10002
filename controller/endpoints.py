"""Every endpoint there is: what it is for, what it takes, what it answers, and how it may refuse.

The one list of them: `api.py` serves exactly these, `GET /` names them, and `openapi.py` describes them. Declarations
only; how a call is carried out is `api.py`'s business and that of the modules beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Annotated, Any

from pydantic import Field

from controller import event_shapes, node_shapes, shapes, state_shapes
from controller.endpoint import Answer, Body, Endpoint, Fault, Query
from controller.events import EventKind
from controller.live import REPLAYED
from controller.refresh import MAX_PAYLOAD, PLAIN
from controller.spec import MAX_USER_ID
from controller.wishes import LISTED, MAX_TEXT_BODY, MOST_EVENTS, MOST_LISTED

LOG_LINES, MAX_LOG_LINES = 100, 10_000

# ---------------------------------------------------------------- refusals

WRONG_USER = Fault(400, "invalid_user_id", "No user can have this id.")
WRONG_CONTAINER = Fault(400, "invalid_container_id", "No container can have this name.")
WRONG_GENERATION = Fault(400, "invalid_generation", "`generation` is no whole number from 1 on.")
WRONG_SESSION = Fault(400, "invalid_session_id", "No session can have this id, or two that differ are named.")
UNKNOWN_FIELD = Fault(400, "unknown_field", "The body has a field that is not known; nothing was done.")
NO_NODE = Fault(404, "not_found", "There is no such node, or several of this name.")
NO_CONTAINER = Fault(404, "not_found", "Neither declared nor there.")
OTHER_SESSION = Fault(409, "session_conflict", "Another session is the current one; nothing was done.")
SUPERSEDED = Fault(409, "superseded", "Another writer asked for something else while this call waited.")
ENGINE_FAILED = Fault(500, "", "The engine could not do it: `code` says why. It stays declared and is tried again.")
NO_ENGINE = Fault(503, "engine_unavailable", "The engine does not answer.")
WRITE = (
    Fault(409, "read_only", "The desired state is changed elsewhere, not here."),
    Fault(409, "policy", "More would run than the operator allows; it may be repeated once there is room."),
    Fault(503, "not_persisted", "The desired state could not be written; nothing was done."),
    Fault(503, "in_doubt", "The disk failed at the end of the write: it may be done or not, and may be repeated."),
    Fault(503, "wish_invalid", "The desired state as it lies there is wrong, so that nothing can be changed in it."),
)
TEXT = (
    Fault(
        409, "needs_approval", "It would end many sessions at once: it is `pending` now, until somebody approves it."
    ),
    Fault(422, "wish_invalid", "The text cannot be taken; `problems` says where it is wrong. Nothing changed."),
)
ENTRY = (
    WRONG_USER,
    UNKNOWN_FIELD,
    Fault(400, "invalid_state", "`state` is neither `running` nor `stopped`."),
    Fault(400, "unknown_profile", "No profile of the operator's has this name."),
    WRONG_SESSION,
    Fault(400, "invalid_restart_at", "`restart_at` is no moment with time zone."),
    Fault(400, "invalid_paused", "`paused` is neither `true` nor `false`."),
)

# ---------------------------------------------------------------- endpoints

SESSION = Query("session_id", shapes.SessionId, "The session that is meant; it may stand in the body as well.")


def _listed(most: int, of: str) -> Query:
    return Query("limit", Annotated[int, Field(ge=1, le=most)], f"So many {of} at most.", LISTED)


EventId = Annotated[int, Field(ge=0, le=10**15)]


def _page(of: str) -> tuple[Query, ...]:
    return (
        Query("user_id", Annotated[int, Field(ge=1, le=MAX_USER_ID)], "Only what happened to this user."),
        Query("after", EventId, "The first ones after the event with this `id`, 0: of all. Else the last ones."),
        _listed(MOST_EVENTS, of),
    )


WRONG_AFTER = Fault(400, "invalid_after", "`after` is no whole number from 0 on.")
WRONG_PAGE = (
    WRONG_USER,
    WRONG_AFTER,
    Fault(400, "invalid_limit", f"`limit` is no number from 1 to {MOST_EVENTS}."),
)
HAPPENING = {"happened": event_shapes.HappenedEvent, "gap": event_shapes.Gap}
GO_ON = (
    "A `happened` message has the event's `id`: whoever comes back with it in `Last-Event-ID`, or in `after`, is told "
    f"what happened since, in order; if that is more than {REPLAYED}, the last ones after a `gap`."
)
PATH = {
    "container_id": shapes.ContainerId,
    "user_id": shapes.UserId,
    "generation": Annotated[int, Field(ge=1, lt=10**15, examples=[1])],
    "node": node_shapes.NodeName,
}
"""What may stand in a path, by its name there."""

GROUPS: Mapping[str, tuple[Endpoint, ...]] = {
    "What callers rely on": (
        Endpoint(
            "create",
            "POST",
            "/create",
            "Create a new container (WebSocket auto-starts)",
            (
                Answer(201, "It was made or started, and runs.", shapes.Created),
                Answer(
                    200, "It was running before. Another `session_id` takes the running session over.", shapes.Created
                ),
                Answer(202, "It does not run yet; it is declared and worked on.", shapes.Created),
            ),
            (WRONG_USER, WRONG_SESSION, SUPERSEDED, ENGINE_FAILED, *WRITE),
            Body(shapes.Creation, {"user_id": 1}),
            (SESSION,),
            follow=(
                ("health", "container_id", "$response.body#/container_id"),
                ("restart", "container_id", "$response.body#/container_id"),
                ("destroy", "container_id", "$response.body#/container_id"),
            ),
        ),
        Endpoint(
            "destroy",
            "POST",
            "/destroy/{container_id}",
            "Destroy a container",
            (
                Answer(200, "The container is gone. The user's data stays, always.", shapes.Told),
                Answer(202, "It is not gone yet.", shapes.Told),
            ),
            (WRONG_CONTAINER, WRONG_SESSION, NO_CONTAINER, OTHER_SESSION, SUPERSEDED, ENGINE_FAILED, *WRITE),
            Body(shapes.SessionNamed, required=False),
            (SESSION,),
        ),
        Endpoint(
            "health",
            "GET",
            "/health/{container_id}",
            "Health check for a container",
            (Answer(200, "Known, whether it runs or not.", shapes.Health),),
            (WRONG_CONTAINER, NO_CONTAINER),
        ),
        Endpoint(
            "list_containers",
            "GET",
            "/list",
            "List all containers",
            (Answer(200, "All, also those that do not run.", shapes.Containers),),
        ),
        Endpoint(
            "restart",
            "POST",
            "/restart/{container_id}",
            "Restart a container",
            (
                Answer(200, "It runs again, started after the call came.", shapes.Told),
                Answer(202, "It does not run yet.", shapes.Told),
            ),
            (WRONG_CONTAINER, WRONG_SESSION, NO_CONTAINER, OTHER_SESSION, SUPERSEDED, ENGINE_FAILED, NO_ENGINE, *WRITE),
            Body(shapes.SessionNamed, required=False),
            (SESSION,),
        ),
        Endpoint(
            "service",
            "GET",
            "/",
            "This service and its endpoints",
            (Answer(200, "Always, but to browsers: those are sent to the dashboard.", shapes.ServiceDocument),),
        ),
    ),
    "Users": (
        Endpoint(
            "users",
            "GET",
            "/v1/users",
            "List all users: desired, observed, conditions",
            (Answer(200, "Everybody who is declared or has a container.", shapes.Users),),
        ),
        Endpoint(
            "amend_many",
            "PATCH",
            "/v1/users",
            "Change entries of many users at once",
            (
                Answer(
                    200,
                    "It is in force, as one generation; what becomes of each is not waited for.",
                    state_shapes.InForce,
                ),
            ),
            (
                Fault(400, "invalid_users", "`users` does not map user ids to what changes of each, or to null."),
                Fault(400, "invalid_force", "`force` is neither `true` nor `false`."),
                Fault(409, "needs_approval", "It would end many sessions at once, without `force`. Nothing changed."),
                *ENTRY,
                NO_ENGINE,
                *WRITE,
            ),
            Body(shapes.UsersChange, {"users": {"1": {"state": "stopped"}, "2": None}}, limit=MAX_TEXT_BODY),
        ),
        Endpoint(
            "user",
            "GET",
            "/v1/users/{user_id}",
            "One user: desired, observed, conditions, and why",
            (Answer(200, "Freshly looked up.", shapes.User),),
            (WRONG_USER, NO_CONTAINER),
        ),
        Endpoint(
            "declare",
            "PUT",
            "/v1/users/{user_id}",
            "Declare a user's session",
            (
                Answer(201, "The entry is new, and in force.", shapes.User),
                Answer(200, "The entry was there; it is in force.", shapes.User),
                Answer(202, "What is asked is not there yet, be it that it takes long or that it fails.", shapes.User),
            ),
            (*ENTRY, SUPERSEDED, *WRITE),
            Body(shapes.UserEntry, {"state": "running", "session_id": "abc-123"}),
            (SESSION,),
            about="The body replaces the whole entry.",
            follow=(
                ("user", "user_id", "$request.path.user_id"),
                ("amend", "user_id", "$request.path.user_id"),
                ("logs", "user_id", "$request.path.user_id"),
                ("undeclare", "user_id", "$request.path.user_id"),
            ),
        ),
        Endpoint(
            "amend",
            "PATCH",
            "/v1/users/{user_id}",
            "Change some of what is declared, null for the default",
            (
                Answer(200, "It is in force.", shapes.User),
                Answer(202, "What is asked is not there yet, be it that it takes long or that it fails.", shapes.User),
            ),
            (*ENTRY, Fault(404, "not_found", "Not declared."), OTHER_SESSION, SUPERSEDED, *WRITE),
            Body(shapes.UserChange, {"state": "stopped"}),
            (Query("session_id", shapes.SessionId, "The session that is meant: nothing is done to another one."),),
            about="The fields that the body names change, the others stay.",
        ),
        Endpoint(
            "undeclare",
            "DELETE",
            "/v1/users/{user_id}",
            "Take a user out of the desired state",
            (
                Answer(200, "The container is gone. The user's data stays, always.", shapes.UserRemoved),
                Answer(202, "It is not gone yet.", shapes.UserRemoved),
            ),
            (WRONG_USER, UNKNOWN_FIELD, WRONG_SESSION, NO_CONTAINER, OTHER_SESSION, SUPERSEDED, ENGINE_FAILED, *WRITE),
            Body(shapes.UserSession, required=False),
            (SESSION,),
        ),
        Endpoint(
            "logs",
            "GET",
            "/v1/users/{user_id}/logs",
            "The last lines of a session's output",
            (Answer(200, "Oldest first.", shapes.LogLines),),
            (
                WRONG_USER,
                Fault(400, "invalid_tail", f"`tail` is no number from 1 to {MAX_LOG_LINES}."),
                Fault(404, "no_such_container", "The user has no container."),
                NO_ENGINE,
            ),
            query=(Query("tail", Annotated[int, Field(ge=1, le=MAX_LOG_LINES)], "So many lines at most.", LOG_LINES),),
        ),
    ),
    "The desired state as a whole": (
        Endpoint(
            "text",
            "GET",
            "/v1/desired-state",
            "The desired state's text",
            (Answer(200, "That which is in force.", state_shapes.TextInForce),),
        ),
        Endpoint(
            "schema",
            "GET",
            "/v1/desired-state/schema",
            "What may stand in the desired state here, as a JSON Schema",
            (Answer(200, "With the names of the profiles, and the ids that users may have.", dict[str, Any]),),
        ),
        Endpoint(
            "apply",
            "PUT",
            "/v1/desired-state",
            "Apply a whole text, as an edit of the file",
            (Answer(200, "It is in force.", state_shapes.InForce),),
            (
                Fault(400, "invalid_text", "`text` is missing or no text."),
                WRONG_GENERATION,
                Fault(400, "invalid_force", "`force` is neither `true` nor `false`."),
                UNKNOWN_FIELD,
                *TEXT,
                *WRITE,
            ),
            Body(state_shapes.TextToApply, {"text": "version: 1\nusers: {1: {}}\n...\n"}, limit=MAX_TEXT_BODY),
            about="It is merged from the generation that it names.",
        ),
        Endpoint(
            "plan",
            "GET",
            "/v1/plan",
            "What would be done now, and why",
            (Answer(200, "`action` is `none` where something has to change first.", state_shapes.Planned),),
            (NO_ENGINE,),
        ),
        Endpoint(
            "plan_text",
            "POST",
            "/v1/plan",
            "The same for a text that is not applied",
            (Answer(200, "Also for a text that is wrong.", state_shapes.TextPlanned),),
            (
                Fault(400, "invalid_text", "`text` is missing or no text."),
                WRONG_GENERATION,
                UNKNOWN_FIELD,
                NO_ENGINE,
            ),
            Body(state_shapes.TextToPlan, {"text": "version: 1\nusers: {1: {}}\n...\n"}, limit=MAX_TEXT_BODY),
            changes=False,
        ),
        Endpoint(
            "approve",
            "POST",
            "/v1/approve",
            "Let a change through that the brake holds",
            (Answer(200, "It is in force.", state_shapes.InForce),),
            (
                Fault(400, "invalid_id", "`id` can be of nothing that waits."),
                UNKNOWN_FIELD,
                Fault(409, "not_pending", "Something else waits by now, or nothing."),
                Fault(422, "wish_invalid", "The text cannot be taken any more; nothing changed."),
                *WRITE,
            ),
            Body(state_shapes.PendingChoice, {"id": "5f1c"}),
        ),
        Endpoint(
            "reject",
            "POST",
            "/v1/reject",
            "Drop a change that the brake holds",
            (Answer(200, "It waits no longer.", state_shapes.InForce),),
            (
                Fault(400, "invalid_id", "`id` can be of nothing that waits."),
                UNKNOWN_FIELD,
                Fault(409, "not_pending", "Something else waits by now, or nothing."),
                *WRITE,
            ),
            Body(state_shapes.PendingChoice, {"id": "5f1c"}),
        ),
        Endpoint(
            "pause",
            "POST",
            "/v1/pause",
            "Leave users' containers alone",
            (Answer(200, "It is in force.", state_shapes.PausedNow),),
            (
                WRONG_USER,
                UNKNOWN_FIELD,
                Fault(404, "not_found", "`user_ids` are not declared; nothing changed."),
                *WRITE,
            ),
            Body(state_shapes.UsersMeant, {"user_ids": [1]}, required=False),
        ),
        Endpoint(
            "resume",
            "POST",
            "/v1/resume",
            "Leave them alone no longer",
            (Answer(200, "It is in force.", state_shapes.PausedNow),),
            (
                WRONG_USER,
                UNKNOWN_FIELD,
                Fault(404, "not_found", "`user_ids` are not declared; nothing changed."),
                *WRITE,
            ),
            Body(state_shapes.UsersMeant, {"user_ids": [1]}, required=False),
        ),
        Endpoint(
            "history",
            "GET",
            "/v1/history",
            "The generations of the desired state",
            (Answer(200, "Newest first.", state_shapes.Generations),),
            (Fault(400, "invalid_limit", f"`limit` is no number from 1 to {MOST_LISTED}."),),
            query=(_listed(MOST_LISTED, "generations"),),
        ),
        Endpoint(
            "generation",
            "GET",
            "/v1/history/{generation}",
            "One of them: its text, and what it changed",
            (Answer(200, "It is kept.", state_shapes.OneGeneration),),
            (
                WRONG_GENERATION,
                Fault(404, "not_found", "The history does not have it."),
            ),
        ),
        Endpoint(
            "rollback",
            "POST",
            "/v1/rollback",
            "Bring an earlier text into force again",
            (Answer(200, "It is in force, as a new generation.", state_shapes.InForce),),
            (
                WRONG_GENERATION,
                UNKNOWN_FIELD,
                Fault(404, "not_found", "The history does not have it."),
                *TEXT,
                *WRITE,
            ),
            Body(state_shapes.Rollback, {"generation": 1}),
        ),
        Endpoint(
            "events",
            "GET",
            "/v1/events",
            "What happened",
            (
                Answer(
                    200,
                    "The first ones after `after`, or without it the last ones; or a stream of what happens.",
                    event_shapes.Events,
                    HAPPENING,
                ),
            ),
            (*WRONG_PAGE, Fault(400, "invalid_kind", "No event is of this kind.")),
            query=(
                *_page("events"),
                Query("kind", list[EventKind], "Only those of this kind, or of these: it may stand there again."),
            ),
            about=f"With `Accept: text/event-stream` it goes on as they happen. {GO_ON}",
        ),
        Endpoint(
            "audit",
            "GET",
            "/v1/audit",
            "Who changed what, from where, and why",
            (Answer(200, "The first ones after `after`, or without it the last ones.", event_shapes.Audit),),
            WRONG_PAGE,
            query=_page("records"),
            about="Every change of the desired state or of who may call, and every changing call of the engine.",
        ),
        Endpoint(
            "refresh",
            "POST",
            "/v1/refresh",
            "Fetch the desired state's branch now, for who knows the secret",
            (Answer(202, "It is fetched; `GET /v1/status` tells what came of it.", shapes.Message),),
            (
                Fault(
                    401, "unauthorized", f"The secret is missing or wrong; send it as `{PLAIN[0]}`, or sign the body."
                ),
            ),
            Body(None, required=False, limit=MAX_PAYLOAD),
            about="For a forge's webhook; the body may be anything.",
            secret=True,
        ),
    ),
    "The nodes of a swarm": (
        Endpoint(
            "nodes",
            "GET",
            "/v1/nodes",
            "The nodes, their sessions, and who is on the way",
            (Answer(200, "Freshly looked up; none where the engine is one host's.", node_shapes.SwarmNodes),),
            (NO_ENGINE,),
        ),
        Endpoint(
            "drain",
            "POST",
            "/v1/nodes/{node}/drain",
            "Have a node's sessions move to others",
            (Answer(200, "It takes no more sessions; `GET /v1/nodes` tells how far it is.", node_shapes.SwarmNode),),
            (NO_NODE, NO_ENGINE),
            about="`swarm_moves` are on their way at a time; each is restarted, and what it has in memory is lost.",
        ),
        Endpoint(
            "activate",
            "POST",
            "/v1/nodes/{node}/activate",
            "Take a node back",
            (Answer(200, "It takes sessions, and those on it stay.", node_shapes.SwarmNode),),
            (NO_NODE, NO_ENGINE),
        ),
    ),
    "The controller": (
        Endpoint(
            "overview",
            "GET",
            "/v1/status",
            "The desired state's file, the engine and the work queue",
            (Answer(200, "Always.", shapes.Overview),),
        ),
        Endpoint(
            "watch",
            "GET",
            "/v1/watch",
            "All that is shown of the above, as it changes",
            (
                Answer(
                    200,
                    "A stream, until either side ends it.",
                    None,
                    {
                        "status": shapes.Overview,
                        "users": event_shapes.WatchedUsers,
                        "usage": event_shapes.WatchedUsage,
                        **HAPPENING,
                    },
                ),
            ),
            (WRONG_AFTER,),
            query=(Query("after", EventId, "The `id` of the last event that is known."),),
            about=f"First how everything is, then what changed. {GO_ON}",
        ),
        Endpoint(
            "alive",
            "GET",
            "/healthz",
            "Whether the controller is alive",
            (Answer(200, "While it lives.", shapes.Alive),),
            vital=True,
        ),
        Endpoint(
            "ready",
            "GET",
            "/readyz",
            "Whether the controller can do its work",
            (Answer(200, "A desired state is loaded and the engine answers.", shapes.Ready),),
            (Fault(503, "not_ready", "One of them is not so."),),
        ),
        Endpoint(
            "dashboard",
            "GET",
            "/dashboard/",
            "All this in a browser",
            (Answer(200, "HTML; what it loads lies below this path.", None),),
            (Fault(404, "not_found", "It was not built."),),
            public=True,
        ),
        Endpoint(
            "metrics",
            "GET",
            "/metrics",
            "What is measured, for Prometheus",
            (
                Answer(
                    200,
                    "In OpenMetrics' form, if that is accepted.",
                    None,
                    kinds=("text/plain", "application/openmetrics-text"),
                ),
            ),
        ),
        Endpoint(
            "openapi",
            "GET",
            "/openapi.json",
            "This API as an OpenAPI 3.1 document",
            (Answer(200, "Made from the code that answers.", dict[str, Any]),),
        ),
        Endpoint(
            "page",
            "GET",
            "/docs",
            "The same as a page to read",
            (Answer(200, "HTML; it loads nothing else.", None),),
        ),
    ),
}
"""In the order in which they are shown: the quick reference's first, with its words."""

ENDPOINTS: tuple[Endpoint, ...] = tuple(chain.from_iterable(GROUPS.values()))
