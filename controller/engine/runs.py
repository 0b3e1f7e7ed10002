"""What a manager tells of the swarm's nodes and of a service's tasks, and what that says of a session.

Pure. A service of ours has one task for each run, the last few of which are still told of. A task of a lost node stays
as it was last heard of.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from controller.engine import service
from controller.engine.labels import LABEL_LEAVING
from controller.engine.lane import moment
from controller.engine.service import LABEL_LEFT, LABEL_RAN, Json
from controller.model import Machine, Node, Phase

COMING = frozenset({"new", "allocated", "pending", "assigned", "accepted", "preparing", "ready", "starting"})
LIVE = COMING | {"running"}
"""States of a task that has not ended, as far as is known; `orphaned` is one that nobody knows of any more."""

NEVER = datetime(1, 1, 1, tzinfo=UTC)


# ---------------------------------------------------------------- nodes


def machine(said: Mapping[str, Any]) -> Machine:
    """One that is only joining has not described itself yet."""
    address = str(said["Status"].get("Addr", ""))
    if said.get("ManagerStatus"):  # a manager may know itself by an address that means any
        address = str(said["ManagerStatus"]["Addr"]).rpartition(":")[0].strip("[]")
    description, spec = said.get("Description") or {}, said["Spec"]
    resources = description.get("Resources") or {}
    labels = dict(spec.get("Labels") or {})
    leaving = _noted(labels.get(LABEL_LEAVING, "")) if spec["Availability"] != "active" else None
    return Machine(
        id=str(said["ID"]),
        name=str(description.get("Hostname") or said["ID"]),
        address=address,
        role=str(spec.get("Role", "")),
        state=str(said["Status"]["State"]),
        availability=str(spec["Availability"]),
        leaving_since=leaving,
        labels={name: value for name, value in labels.items() if name != LABEL_LEAVING},
        cpus=resources.get("NanoCPUs", 0) / 1e9,
        memory=int(resources.get("MemoryBytes", 0)),
        updated_at=_noted(str(said.get("UpdatedAt", ""))),
    )


def drain(spec: Json, now: datetime) -> None:
    """Make this node's spec that of one whose sessions are to leave."""
    spec["Labels"] = {**(spec.get("Labels") or {}), LABEL_LEAVING: now.isoformat()}
    if spec["Availability"] == "active":
        spec["Availability"] = "pause"


def activate(spec: Json) -> None:
    """Make it that of one that takes sessions."""
    spec["Labels"] = {name: value for name, value in (spec.get("Labels") or {}).items() if name != LABEL_LEAVING}
    spec["Availability"] = "active"


def reserved(machines: Iterable[Machine], tasks: Iterable[Json]) -> tuple[Machine, ...]:
    """The same with what tasks that run there, or are to, have reserved: anybody's."""
    cpus: dict[str, float] = defaultdict(float)
    memory: dict[str, int] = defaultdict(int)
    for task in tasks:
        if is_begun(task) and task.get("NodeID"):
            cpus[task["NodeID"]] += _reservation(task["Spec"], "NanoCPUs") / 1e9
            memory[task["NodeID"]] += _reservation(task["Spec"], "MemoryBytes")
    return tuple(replace(each, reserved_cpus=cpus[each.id], reserved_memory=memory[each.id]) for each in machines)


def why_nowhere(machines: Iterable[Machine], template: Json, labels: Mapping[str, str], left: str) -> str:
    """Why no node would take a task made from this, but for the one of this id; empty where one would.

    Args:
        machines: all, with what is reserved on them.
        labels: what a node has to carry.
    """
    others = [each for each in machines if each.id != left and each.takes_runs]
    if not others:
        return "No other node takes sessions."
    fit = [each for each in others if suits(each, labels)]
    if not fit:
        wanted = " and ".join(f"{name}={value}" for name, value in labels.items())
        return f"No other node that takes sessions has {wanted}."
    cpus, memory = _reservation(template, "NanoCPUs") / 1e9, _reservation(template, "MemoryBytes")
    if any(each.reserved_cpus + cpus <= each.cpus and each.reserved_memory + memory <= each.memory for each in fit):
        return ""
    return f"No other node has room for it: {cpus:g} cpus and {memory / 2**20:.0f} MiB, as it reserves them."


def suits(machine: Machine, labels: Mapping[str, str]) -> bool:
    """It has these labels; case does not count, as in the swarm."""
    return all(machine.labels.get(name, "").casefold() == value.casefold() for name, value in labels.items())


def place(labels: Mapping[str, str], machines: Iterable[Machine], pin: str) -> list[str]:
    """The constraints of a run: that it is on this node (its id), or else on none that has not got these labels.

    The labels themselves are none: a swarm calls a task whose node loses one rejected, and begins the next beside it
    before it has ended (swarmkit's `constraintenforcer`). A node keeps its id.
    """
    if pin:
        return [f"node.id=={pin}"]
    return [f"node.id!={each.id}" for each in machines if not suits(each, labels)]


def node(task: Json | None, machines: Mapping[str, Machine]) -> Node | None:
    """Where it is, or was."""
    node_id = task.get("NodeID", "") if task else ""
    if task is None or not node_id:
        return None
    at = machines.get(node_id)
    if at is None:  # who took it out of the swarm has said that nothing runs there
        lost = "" if state(task) not in LIVE else "The session's node is not in the swarm any more."
        return Node(node_id, "", lost, id=node_id)
    lost = _lost(at) if state(task) in LIVE else ""
    return _told(at, lost)


def left(
    task: Json | None, labels: Mapping[str, str], machines: Mapping[str, Machine], just_back: Callable[[Machine], bool]
) -> Node | None:
    """Where a run may go on whose end the swarm does not tell any more; `None`: nowhere.

    That is on a node that is lost, and for a while after: once back, it is told to end the run, and takes its time.

    Args:
        task: the last that is told.
        just_back: whether a node has not had that time yet.
    """
    if task is not None and state(task) in LIVE:
        return None
    given_up = [task["NodeID"]] if task is not None and state(task) == "orphaned" else []
    for node_id in (*labels.get(LABEL_LEFT, "").split(), *given_up):
        at = machines.get(node_id)
        if at is not None and _lost(at):
            return _told(at, _lost(at))
        if at is not None and just_back(at):
            return _told(at, f"The node {at.name} is back, and the session may not have ended there yet.")
    return None


def _told(machine: Machine, lost: str) -> Node:
    return Node(machine.name, machine.address, lost, machine.leaving_since is not None, machine.id)


def _lost(machine: Machine) -> str:
    if machine.state == "ready":
        return ""
    return f"The node {machine.name} is {machine.state}, and the session may go on there."


def pin(tasks: Iterable[Json], machines: Mapping[str, Machine], labels: Mapping[str, str]) -> str:
    """Id of the node that the last run was on, if it takes runs and has these labels; else empty."""
    last = max((task for task in tasks if task.get("NodeID")), key=made, default=None)
    at = machines.get(last["NodeID"]) if last is not None else None
    return at.id if at is not None and at.takes_runs and suits(at, labels) else ""


# ---------------------------------------------------------------- tasks


def current(tasks: Iterable[Json]) -> Json | None:
    """The task that runs, if only until it has ended, or else the last one."""
    return max(tasks, key=lambda task: (is_up(task), made(task)), default=None)


def phase(spec: Json, tasks: Sequence[Json]) -> Phase:
    task = current(tasks)
    if task is not None and is_up(task):
        return Phase.RUNNING if service.wanted(spec) and task["DesiredState"] == "running" else Phase.RESTARTING
    if any(state(each) in COMING - {"pending"} for each in tasks):
        return Phase.RESTARTING
    ended = LABEL_RAN in (spec.get("Labels") or {}) or any(ran(each) for each in tasks)
    return Phase.EXITED if ended else Phase.CREATED


def started(labels: Mapping[str, str], task: Json | None, phase: Phase) -> datetime | None:
    if task is not None and (is_up(task) or ran(task)):
        return since(task)
    return _noted(labels[LABEL_RAN]) if phase is Phase.EXITED and LABEL_RAN in labels else None


def since(task: Json) -> datetime:
    """When it was up, or, of one that is no more, made: not before that by the managers' clock, or a restart that was
    asked for would be asked again and again of one on a node whose own clock is behind."""
    of_task = moment(task["CreatedAt"]) or NEVER
    return max(moment(task["Status"]["Timestamp"]) or NEVER, of_task) if is_up(task) else of_task


def state(task: Json) -> str:
    return str(task["Status"]["State"])


def is_meant(task: Json) -> bool:
    """It runs, or will, and nothing has said that it shall end."""
    return state(task) in LIVE and task["DesiredState"] in ("ready", "running")


def meant(tasks: Iterable[Json]) -> int:
    """How many: one at most, or two sessions write into one folder."""
    return sum(is_meant(task) for task in tasks)


def is_removed(task: Json) -> bool:
    """The swarm is to forget it, and has not yet: within a quarter of a second from its end."""
    return bool(task["DesiredState"] == "remove")


def is_begun(task: Json) -> bool:
    """A node has it: there is a container, or will be, and it has not ended as far as is known."""
    return state(task) in LIVE - {"new", "allocated", "pending"}


def where(tasks: Iterable[Json]) -> list[str]:
    """Ids of the nodes that have one of them which has not ended, as far as is known."""
    return sorted({task["NodeID"] for task in tasks if is_begun(task) and task.get("NodeID")})


def is_up(task: Json) -> bool:
    return state(task) == "running"


def ran(task: Json) -> bool:
    """It ran, or still does: one that was only prepared ends with another word."""
    if state(task) in ("complete", "failed"):
        return "non-zero exit" in (task["Status"].get("Err") or "non-zero exit")
    return is_up(task) or (state(task) in ("shutdown", "orphaned") and "ContainerStatus" in task["Status"])


def number(task: Json) -> int:
    """Number of the run that it is."""
    return int(task["Spec"].get("ForceUpdate", 0))


def made(task: Json) -> datetime:
    return moment(task["CreatedAt"]) or NEVER


def _reservation(template: Mapping[str, Any], what: str) -> int:
    return int(((template.get("Resources") or {}).get("Reservations") or {}).get(what, 0))


def _noted(label: str) -> datetime | None:
    """A moment in a label of ours; a hand may have written anything."""
    try:
        return moment(label)
    except ValueError:
        return None
