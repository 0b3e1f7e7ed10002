"""A short run on each node of a swarm, before sessions are to come there: whether it has the image, and the same folder
as this machine, which the sessions' user may write to.

What is run is made as a session is, with its mounts and all that holds it, but for another command and no ports.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Set

import docker

from controller.engine import runs, service
from controller.engine.hardening import SHARED_FOLDER
from controller.engine.lane import CHANGE_TIMEOUT, Lane, delete, get, listed, post
from controller.engine.service import Json, Terms
from controller.model import Limits, SessionSpec

LABEL = "mcm.trial"
"""Of which instance it is one."""
SCRIPT = f'read -r said < {SHARED_FOLDER}/trial && [ "$said" = "$WORD" ] && : > "{SHARED_FOLDER}/$NODE"'
"""Whether the folder is that of whoever wrote this word into it, and may be written to."""
STEP = 0.1
BEGUN = 10.0
"""Seconds in which each node has got its task."""
TRIES = 3
"""Where of some node it was not seen how it ended."""
TIMEOUT = 120.0
"""Seconds; a node that looks for an image in a registry that does not answer takes 20."""


async def tried(host: str, spec: SessionSpec, terms: Terms, word: str) -> dict[str, str]:
    """Run on each node that takes sessions such as this one; by the node's name why it could not, empty where it could.

    Args:
        host: of a manager, as in `DOCKER_HOST`.
        spec: of a session of nobody's, whose folder has a file `trial` with `word` in it.

    Raises:
        EngineError: the swarm cannot be asked, or does not take it.
    """
    wanted = trial_of(spec, terms, word)
    lane = Lane("trial", 1, host, CHANGE_TIMEOUT)
    try:
        await lane.run(lambda client: _clear(client, terms.instance))  # of one that was killed
        labels = dict(spec.node_labels or ())
        nodes = [runs.machine(each) for each in await lane.run(lambda client: get(client, "/nodes"))]
        wanted["TaskTemplate"]["Placement"] = {"Constraints": runs.place(labels, nodes, "")}
        nodes = [each for each in nodes if each.takes_runs and runs.suits(each, labels)]
        for _ in range(TRIES):
            made: Json = await lane.run(lambda client: post(client, "/services/create", wanted).json())
            try:
                ended, all_seen = await _ended(lane, str(made["ID"]), {each.id for each in nodes})
            finally:
                await lane.run(lambda client: _clear(client, terms.instance))
            if all_seen:
                break
        place = _place(wanted["TaskTemplate"])
        return {each.name: _why_not(ended.get(each.id), place, spec) for each in nodes}
    finally:
        lane.close()


def trial_of(spec: SessionSpec, terms: Terms, word: str) -> Json:
    """The service: once on each node, and never again."""
    template = service.service_of(spec, terms, Limits(0, 0, 0), {})["TaskTemplate"]
    own = {"Command": ["sh", "-c", SCRIPT], "Env": [f"WORD={word}", "NODE={{.Node.ID}}"], "Hostname": "trial"}
    return {
        "Name": f"mcm-trial-{terms.instance[:40]}-{word[:8]}",
        "Labels": {LABEL: terms.instance},
        "Mode": {"Global": {}},
        "TaskTemplate": {**template, "ContainerSpec": {**template["ContainerSpec"], **own}, "Resources": {}},
    }


async def _ended(lane: Lane, service_id: str, nodes: Set[str]) -> tuple[dict[str, Json], bool]:
    """The nodes' tasks by node, when all have ended, or time is over, and whether of each the end was seen.

    The swarm soon forgets a task that its node has rejected: what was last told of each is kept, and it may be gone
    before why is told, where looks are slow.
    """
    began = time.monotonic()
    seen: dict[str, Json] = {}
    while True:
        tasks = await lane.run(lambda client: listed(client, "tasks", service=[service_id]))
        now = {str(task["NodeID"]): task for task in tasks if task.get("NodeID")}
        seen |= now
        waited = time.monotonic() - began
        live = {node for node, task in now.items() if runs.state(task) in runs.LIVE}
        to_come = nodes - seen.keys() if waited < BEGUN else set()
        if waited > TIMEOUT or not (live or to_come):
            return seen, not any(runs.state(seen[node]) in runs.LIVE for node in seen.keys() - now.keys())
        await asyncio.sleep(STEP)


def _why_not(task: Json | None, place: str, spec: SessionSpec) -> str:
    if task is None:
        return "it was given no task"
    state = runs.state(task)
    if state == "complete":
        return ""
    said = str(task["Status"].get("Err") or task["Status"].get("Message", ""))
    if "non-zero exit" in said:
        return (
            f"what it has at {place} is not what this machine has at {spec.data_folder}, "
            f"or {spec.run_as} may not write there"
        )
    return f"it did not come to its end: {said}" if state in runs.LIVE else said


def _place(template: Json) -> str:
    """Where the users' folder is to a node: a path of its own, or what it mounts."""
    mounts = template["ContainerSpec"]["Mounts"]
    found = next(each for each in mounts if each["Target"] == SHARED_FOLDER)
    driver = (found.get("VolumeOptions") or {}).get("DriverConfig") or {}
    return str((driver.get("Options") or {}).get("device") or found["Source"])


def _clear(client: docker.APIClient, instance: str) -> None:
    for each in listed(client, "services", label=[f"{LABEL}={instance}"]):
        delete(client, f"/services/{each['ID']}")
