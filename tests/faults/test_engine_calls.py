"""Every call to the engine goes wrong in every way, for nine kinds of work at once; and its stream of events does."""

from __future__ import annotations

import pytest

from tests.faults.proxy import Answer, CutReply, Drip, Events, Fault, Gone, Hang, Late, LoseReply, Stale
from tests.faults.world import RESYNC, World

ANY = r"^(GET|POST|DELETE) /(containers|networks|info|version)"
CHANGE = r"^(POST|DELETE) /"
LOOK = r"^GET /(containers|networks|info|version)"
BY_ID = r"/containers/[0-9a-f]{64}"
BY_NAME = r"^GET /containers/mcm"

FAULTS: dict[str, tuple[str, Fault, int]] = {
    "hangs up before it does anything": (ANY, Gone(), 1),
    "hangs up three times running": (CHANGE, Gone(), 3),
    "does it and hangs up: the reply is lost": (ANY, LoseReply(), 1),
    "does it, and half of the reply comes": (ANY, CutReply(), 1),
    "says 500 to looks": (LOOK, Answer(500, b'{"message": "server error"}'), 1),
    "says 500 and does nothing": (CHANGE, Answer(500, b'{"message": "server error"}'), 1),
    "says 500 and did it": (CHANGE, Answer(500, b'{"message": "server error"}', done=True), 1),
    "says 503": (ANY, Answer(503, b'{"message": "starting up"}'), 1),
    "says 409 and does nothing": (CHANGE, Answer(409, b'{"message": "conflict"}'), 1),
    "says 409 and did it": (CHANGE, Answer(409, b'{"message": "conflict"}', done=True), 1),
    "says 404, page not found": (ANY, Answer(404, b'{"message": "page not found"}'), 1),
    "lies that the container is gone": (BY_ID, Answer(404, b'{"message": "No such container"}'), 1),
    "lies that nobody has this name": (BY_NAME, Answer(404, b'{"message": "No such container"}'), 2),
    "lies that nothing runs": (r"^GET /containers/json", Answer(200, b"[]"), 2),
    "says broken JSON": (ANY, Answer(200, b'{"Id": "'), 1),
    "says nothing, with 200": (CHANGE, Answer(200, b""), 1),
    "says JSON of another kind": (LOOK, Answer(200, b'["surprise"]'), 1),
    "hangs for 3 s": (ANY, Hang(3), 1),
    "hangs for 12 s when asked for a user's container": (BY_NAME, Hang(12), 1),
    "is 3 s late": (ANY, Late(3), 1),
    "is 30 s late with changes": (r"^POST /containers/.*/(update|unpause|rename|restart)$", Late(30), 1),
    "says a byte per 50 ms": (ANY, Drip(0.05, 40), 1),
    "tells an old list": (r"^GET /containers/json", Stale(), 30),
    "tells old looks": (r"^GET /containers/.*/json", Stale(), 3),
}


@pytest.mark.parametrize("kind", FAULTS)
async def test_calls(world: World, kind: str) -> None:
    calls, fault, times = FAULTS[kind]
    rule = world.proxy.fault(fault, calls, times)
    await world.deeds()
    await world.held("engine", kind, rule)
    world.proxy.lift()


@pytest.mark.parametrize("events", [each for each in Events if each is not Events.WHOLE])
async def test_events(world: World, events: Events) -> None:
    world.proxy.events = events
    await world.deeds()
    took = await world.held("events", events.name.lower(), 5)
    world.proxy.lift()
    world.proxy.break_streams()
    await world.settles()
    assert took < 2 * RESYNC + 10
