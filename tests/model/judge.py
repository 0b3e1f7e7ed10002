"""Says whether a call that changes the world may be made, by what was asked for; knows nothing of how it is planned."""

from __future__ import annotations

import asyncio

from controller.model import Container, Phase, RunState, SessionSpec, Target, Wish
from controller.target import Site, resolve
from tests.fake_engine import FakeEngine
from tests.model.clock import now
from tests.worlds import satisfies

WINDOW = 0.1
"""Seconds that a wish is still a reason for a call after it was replaced: the caller hears of it a little later."""
ALIVE = (Phase.RUNNING, Phase.PAUSED, Phase.RESTARTING)


class Judge:
    """Keeps what was asked for as the callers know it, and each changing call that did its work."""

    def __init__(self, engine: FakeEngine, site: Site) -> None:
        self._engine = engine
        self._site = site
        self.wanted: dict[int, Wish] = {}
        """By acknowledged calls and saved texts."""
        self._reasons: dict[int, list[tuple[Wish | None, float]]] = {}
        """What may be in force besides: asked for and not acknowledged, or just replaced; until when."""
        self.worked: list[tuple[str, int]] = []
        """Call and user."""
        self.faults: list[str] = []
        """Promises that were broken, in words."""

    # ------------------------------------------------------------ what is asked for

    def asked(self, user_id: int, wish: Wish | None) -> None:
        """From now on this may be in force; nobody has said that it is."""
        self._reasons.setdefault(user_id, []).append((wish, float("inf")))

    def refused(self, user_id: int, wish: Wish | None) -> None:
        """The caller was told that nothing changed."""
        self._reasons[user_id].remove((wish, float("inf")))

    def known(self, user_id: int, wish: Wish | None) -> None:
        """This is in force, and nothing else."""
        until = _clock() + WINDOW
        reasons = [(self.wanted.get(user_id), until), *self._reasons.get(user_id, [])]
        self._reasons[user_id] = [(each, min(end, until)) for each, end in reasons if end > _clock()]
        if wish is None:
            self.wanted.pop(user_id, None)
        else:
            self.wanted[user_id] = wish

    def open(self, user_id: int) -> list[Wish | None]:
        """What may be in force, the acknowledged first."""
        others = [wish for wish, until in self._reasons.get(user_id, []) if until > _clock()]
        return [self.wanted.get(user_id), *others]

    def unanswered(self) -> set[int]:
        """Users of whom something was asked, and who knows whether it is in force."""
        return {n for n, reasons in self._reasons.items() if any(until == float("inf") for _, until in reasons)}

    def target(self, user_id: int, wish: Wish | None) -> Target | None:
        return None if wish is None else resolve(wish, user_id, 1, None, self._site)

    # ------------------------------------------------------------ what is there

    def users(self) -> set[int]:
        return {*self.wanted, *(c.user_id for c in self._engine.containers() if c.ours and c.user_id is not None)}

    def amiss(self) -> list[str]:
        """Who is not as was asked for, in words."""
        found = []
        for user_id in sorted(self.users()):
            wish = self.wanted.get(user_id)
            have = self._of(user_id)
            in_the_way = self._engine.box(f"{self._site.container_prefix}{user_id}")
            if wish and in_the_way and not in_the_way.ours:
                continue
            if not (wish and wish.paused) and not satisfies(self.target(user_id, wish), have, now()):
                seen = ", ".join(f"{c.name} {c.phase} {c.image} {c.cpus:g}" for c in have) or "nothing"
                found.append(f"user {user_id}: wanted {wish}, there is {seen}")
        return found

    def _of(self, user_id: int) -> tuple[Container, ...]:
        return tuple(c for c in self._engine.containers() if c.ours and c.user_id == user_id)

    # ------------------------------------------------------------ what is done

    def create(self, spec: SessionSpec) -> int:
        """Somebody is about to ask for this; whose container it is."""
        self._unless_paused(spec.user_id, "create")
        if not self._wants_running(spec.user_id):
            self.broken(10, f"a container is made for user {spec.user_id}, who is not wanted running")
        return spec.user_id

    def change(self, call: str, container_id: str) -> int:
        box = next((c for c in self._engine.containers() if c.id == container_id), None)
        if box is None:  # the engine will say so
            return 0
        user_id = box.user_id or 0
        if not box.ours:
            self.broken(4, f"{call} of {box.name}, which is not ours")
        self._unless_paused(user_id, call)
        if not self._has_reason(call, box):
            self.broken(10, f"{call} of {box.name} ({box.phase}) without a reason: {self.open(user_id)}")
        return user_id

    def done(self, call: str, user_id: int) -> None:
        self.worked.append((call, user_id))
        if call == "create" and len(self._of(user_id)) > 1:
            self.broken(3, f"user {user_id} had a container, and another was made")

    def _has_reason(self, call: str, box: Container) -> bool:
        user_id = box.user_id or 0
        running = self._wants_running(user_id)
        match call:
            case "stop" | "remove":
                return (
                    None in self.open(user_id)
                    or (call == "stop" and len(running) < len(self.open(user_id)))
                    or any(self._outgrown(target.spec, box) for target in running)
                    or self._is_one_too_many(box)
                    or (call == "remove" and box.phase not in ALIVE and bool(box.outdated or box.loose))
                    or box.phase is Phase.DEAD
                )
            case "restart":
                due = [t.restart_at for t in running if t.restart_at is not None and t.restart_at <= now()]
                return any(box.started_at is None or box.started_at < moment for moment in due)
            case "unpause":
                return True
            case _:
                return bool(running)

    def _is_one_too_many(self, box: Container) -> bool:
        """Another one has the user's name, or nobody has it; whose it is, stays."""
        name = f"{self._site.container_prefix}{box.user_id}"
        return len(self._of(box.user_id or 0)) > 1 and box.name != name

    def _wants_running(self, user_id: int) -> list[Target]:
        targets = [self.target(user_id, wish) for wish in self.open(user_id)]
        return [target for target in targets if target is not None and target.state is RunState.RUNNING]

    def _outgrown(self, spec: SessionSpec, box: Container) -> bool:
        made_of = (box.image, box.spec_hash, box.data_folder)
        return made_of != (spec.image, spec.spec_hash, spec.data_folder)

    def _unless_paused(self, user_id: int, call: str) -> None:
        wishes = self.open(user_id)
        if all(wish is not None and wish.paused for wish in wishes):
            self.broken(4, f"{call} for user {user_id}, who is paused")

    def broken(self, promise: int, what: str) -> None:
        self.faults.append(f"promise {promise}: {what}")


def _clock() -> float:
    return asyncio.get_running_loop().time()
