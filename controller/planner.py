"""What to do about the difference between one user's wish and their containers.

Pure: time and chance come in as arguments. What it decides, `executor.py` does and `reconciler.py` repeats until
there is nothing left to do, so a plan need only be right about its first action.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from controller.errors import CrashLoop, LeftBehind
from controller.model import (
    USUAL_PROCESSES,
    Action,
    Container,
    Create,
    Limits,
    Move,
    Phase,
    Plan,
    Remove,
    Rename,
    Restart,
    Retry,
    RunState,
    SessionSpec,
    Start,
    Stop,
    Target,
    Unpause,
    Update,
)

FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(minutes=5)
CRASHES_FOR_FREE = 3
"""So many deaths in a row are answered at once: accidents from outside come in small numbers, crash loops do not."""
TRIES = 3
"""So often one and the same container is started for which the engine has kept something of its last run."""
_JUST_MADE = "made, and not started yet"
_MADE_OTHERWISE = "a version of the controller made it that held sessions otherwise"
TRANSIENT = timedelta(seconds=1)
"""When to look again at a container that the engine is busy with."""
LOST = timedelta(seconds=10)
"""When to look again at one whose node is lost."""


def plan(
    want: Target | None, have: tuple[Container, ...], retry: Retry, now: datetime, *, paused: bool = False
) -> Plan:
    """Decide for one user. `now` is by the engine's clock; `have` comes from a fresh inspect."""
    if paused:
        return Plan()
    ours = tuple(c for c in have if c.ours)
    lost = next((c.node.lost for c in ours if c.node is not None and c.node.lost), "")
    if lost:  # it may go on there, and whatever took its place would write into the same folder
        return Plan(look_again_at=now + LOST, waiting_for=lost)
    if any(c.phase is Phase.REMOVING for c in ours):
        return Plan(look_again_at=now + TRANSIENT, waiting_for="the engine to finish removing a container")
    todo = _absent(ours) if want is None else _present(want, ours, have, retry, now)
    wait = None if retry.not_before is None else retry.not_before - now
    if todo.actions and wait is not None and timedelta(0) < wait <= LONGEST_WAIT:  # longer: the clock was set back
        return Plan(look_again_at=retry.not_before, waiting_for=todo.actions[0].reason)
    return todo


def without_a_look(done: tuple[Action, ...], made: str) -> Action | None:
    """What may follow the first of a plan's actions at once, for the engine's answer tells as much as a look would.

    A container that it made is not started yet, and one that it stopped can go. Both are by id, and it removes nothing
    that runs.
    """
    match done:
        case (Create(), *_) if made:
            return Start(made, _JUST_MADE)
        case (Stop(), Remove() as then, *_):
            return then
        case _:
            return None


def after_failure(retry: Retry, now: datetime, chance: float, code: str, ceiling: float) -> Retry:
    """One more failed action. `chance` in [0, 1) spreads the tries of many users; `ceiling` is in seconds."""
    longest = min(timedelta(seconds=ceiling), LONGEST_WAIT)
    more = _one_more(retry, now, code)
    return replace(more, not_before=now + _backoff(more.of_kind[code], chance, longest))


def after_crash(retry: Retry, now: datetime, chance: float) -> Retry:
    """One more start of a session that had died."""
    more = _one_more(retry, now, CrashLoop.code)
    deaths = more.of_kind[CrashLoop.code]
    if deaths < CRASHES_FOR_FREE:
        return more
    return replace(more, not_before=now + _backoff(deaths - CRASHES_FOR_FREE + 1, chance, LONGEST_WAIT))


def _one_more(retry: Retry, now: datetime, code: str) -> Retry:
    """Each kind counts for itself: a port that was tried for an hour says nothing of the image that is missing next.
    None is forgotten for another, or two that take turns would be a hot loop."""
    of_kind = {**retry.of_kind, code: retry.of_kind.get(code, 0) + 1}
    return Retry(retry.failures + 1, None, retry.since or now, of_kind)


def _backoff(failures: int, chance: float, longest: timedelta) -> timedelta:
    """Twice as long each time, less up to half of it by chance."""
    doublings = min(failures - 1, 16)
    wait: timedelta = min(FIRST_WAIT * 2**doublings, longest) * (1 - chance / 2)
    return wait


def _absent(ours: tuple[Container, ...]) -> Plan:
    return Plan(tuple(a for c in ours for a in _take_away(c, "the user is not in the desired state")))


def _present(
    want: Target, ours: tuple[Container, ...], have: tuple[Container, ...], retry: Retry, now: datetime
) -> Plan:
    main, spare = _choose(want.spec, ours)
    if spare:
        return Plan(tuple(a for c in spare for a in _take_away(c, "a second container of the same user")))
    match want.state:
        case RunState.STOPPED:
            return Plan(() if main is None else _towards_stopped(main))
        case RunState.RUNNING if main is None:
            foreign = next((c for c in have if not c.ours and c.name == want.spec.name), None)
            if foreign is not None:
                return Plan(in_the_way=foreign)
            return Plan((Create(want.spec, "wanted running, and there is no container"),))
        case RunState.RUNNING:
            return _towards_running(want, main, retry, now)


def _choose(spec: SessionSpec, ours: tuple[Container, ...]) -> tuple[Container | None, tuple[Container, ...]]:
    """The one to keep and those in excess: the right name counts first, a running session second, age third."""
    ranked = sorted(ours, key=lambda c: (c.name != spec.name, c.phase is not Phase.RUNNING, c.created_at, c.id))
    return (ranked[0], tuple(ranked[1:])) if ranked else (None, ())


def _towards_stopped(main: Container) -> tuple[Action, ...]:
    match main.phase:
        case Phase.RUNNING | Phase.RESTARTING:
            return (Stop(main.id, "wanted stopped"),)
        case Phase.PAUSED:
            return (Unpause(main.id, "a paused container cannot end"), Stop(main.id, "wanted stopped"))
        case Phase.CREATED | Phase.EXITED if main.awaited:
            return (Stop(main.id, "wanted stopped, and it would come up once a node takes it"),)
        case Phase.CREATED | Phase.EXITED if main.end_unseen:  # or it would be missed should its node be lost later
            return (Stop(main.id, "wanted stopped, and its end was not seen"),)
        case Phase.CREATED | Phase.EXITED | Phase.DEAD | Phase.REMOVING:
            return ()


def _towards_running(want: Target, main: Container, retry: Retry, now: datetime) -> Plan:
    if main.phase is Phase.DEAD:
        return Plan((Remove(main.id, "the engine calls it dead"),))
    changed = _outgrown(want.spec, main) or _given_up(main, retry)
    if changed:
        return Plan((*_take_away(main, changed), Create(want.spec, changed)))
    if main.name != want.spec.name:
        return Plan((Rename(main.id, want.spec.name, f"it was renamed to {main.name}"),))
    limits = _limits(want.spec, main)
    match main.phase:
        case Phase.RESTARTING:
            return Plan(look_again_at=now + TRANSIENT, waiting_for="the engine to finish a restart")
        case Phase.PAUSED:
            return Plan((Unpause(main.id, "paused from outside"),))
        case Phase.CREATED:
            return Plan((*limits, Start(main.id, _JUST_MADE)))
        case Phase.EXITED if main.awaited:
            return Plan((*limits, Start(main.id, "begun, and it waits for a node")))
        case Phase.EXITED if want.rested:
            return Plan((*limits, Start(main.id, "wanted running, and it was stopped")))
        case Phase.EXITED:
            return Plan((*limits, Start(main.id, _died(main), after_crash=True)))
        case Phase.RUNNING if limits:
            return Plan(limits)
        case Phase.RUNNING:
            restart = _restart_if_due(want, main, now)  # which moves it as well, and waits for no turn
            return restart if restart.actions else _move(main) or restart
        case Phase.REMOVING:
            return Plan()


def _move(main: Container) -> Plan | None:
    """Off a node that is to be empty."""
    if main.node is None or not main.node.leaving:
        return None
    return Plan((Move(main.id, f"the node {main.node.name} is being emptied"),))


def _restart_if_due(want: Target, main: Container, now: datetime) -> Plan:
    due = want.restart_at
    asked_of_it = want.restart_of == (main.id, main.started_at)
    if due is None or (main.started_at is not None and main.started_at >= due and not asked_of_it):
        return Plan()
    if due > now:
        return Plan(look_again_at=due)
    asked = f"a restart was asked for at {due:%Y-%m-%d %H:%M:%S}"
    if why := _slipped(main):
        return Plan((*_take_away(main, f"{asked}, and {why}"), Create(want.spec, why)))
    return Plan((Restart(main.id, asked),))


def _outgrown(spec: SessionSpec, main: Container) -> str:
    """Why this container cannot become what is wanted, or empty."""
    if main.image != spec.image:
        return f"the image changed from {main.image} to {spec.image}"
    if main.spec_hash != spec.spec_hash:
        return "environment, mounts, ports or shared memory changed"
    if main.data_folder != spec.mounted:
        return f"the folder {main.data_folder or 'of nobody'} is mounted, and not {spec.mounted}"
    if main.phase is Phase.EXITED or (main.phase is Phase.CREATED and main.outdated):
        return _slipped(main)
    return ""


def _given_up(main: Container, retry: Retry) -> str:
    """Why this container is not started again, though it is as wanted, or empty.

    What the engine has kept of its last run is in the way, and Docker knows no other mend than to remove the container.
    """
    if main.phase not in (Phase.CREATED, Phase.EXITED) or not main.left_behind:
        return ""
    if retry.of_kind.get(LeftBehind.code, 0) < TRIES:
        return ""
    return f"the engine has kept something of its last run, and did not start it in {TRIES} tries"


def _slipped(main: Container) -> str:
    """Why a new container should be made where this one would be started again, or empty.

    It is no reason to end a session, nor to replace a container that was just made: an engine that tells of flags
    otherwise than they were given tells the same of the next one, and there would be no end of it. Meanwhile the
    condition `Enclosed` says how the session is held.
    """
    if main.outdated:
        return _MADE_OTHERWISE
    return f"it is not held as it was made: {', '.join(main.loose)}" if main.loose else ""


def _limits(spec: SessionSpec, main: Container) -> tuple[Action, ...]:
    cpus = round(min(spec.cpus, main.host_cpus), 9)  # the engine counts in billionths
    processes = spec.processes or USUAL_PROCESSES
    changes = []
    if main.cpus != cpus:
        changes.append(f"cpus from {main.cpus:g} to {cpus:g}")
    if main.memory != spec.memory:
        changes.append(f"memory from {main.memory / 2**20:.0f} MiB to {spec.memory / 2**20:.0f} MiB")
    if main.processes not in (None, processes):
        changes.append(f"processes from {main.processes} to {processes}")
    changes += main.slack
    if not changes:
        return ()
    return (Update(main.id, Limits(spec.cpus, spec.memory, processes), "limits differ: " + ", ".join(changes)),)


def _take_away(container: Container, reason: str) -> tuple[Action, ...]:
    """All the steps to a container's end, the session asked to end first."""
    match container.phase:
        case Phase.RUNNING | Phase.RESTARTING:
            return (Stop(container.id, reason), Remove(container.id, reason))
        case Phase.PAUSED:
            return (Unpause(container.id, reason), Stop(container.id, reason), Remove(container.id, reason))
        case Phase.CREATED | Phase.EXITED | Phase.DEAD | Phase.REMOVING:
            return (Remove(container.id, reason),)


def _died(main: Container) -> str:
    if main.oom_killed:
        return "the session ran out of memory and was killed"
    return f"exited with code {main.exit_code}"
