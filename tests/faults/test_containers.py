"""What containers do, and what is done to them: each of these users is in trouble of another kind, all at once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import time

import docker.errors
import pytest

from tests.faults.engine import STAND_IN
from tests.faults.world import Want, World
from tests.support import MIB, eventually

MANNERS = {31: "exits", 32: "stubborn", 33: "hungry", 34: "forks", 35: "floods", 36: "deaf"}


def leave_manner(world: World, user_id: int, manner: str) -> None:
    folder = world.rig.data / f"user_{user_id}"
    folder.mkdir(mode=0o700)
    (folder / ".manner").write_text(manner)
    os.chown(folder, 1000, 1000)
    os.chown(folder / ".manner", 1000, 1000)


async def test_sessions_that_misbehave_delay_nobody(world: World) -> None:
    """8, 17, 19, 23: six bad sessions run beside eleven good ones, which are worked on meanwhile."""
    for user_id, manner in MANNERS.items():
        leave_manner(world, user_id, manner)
    status, said = await world.rig.call("PATCH", "/v1/users", {"users": {str(n): {} for n in MANNERS}})
    assert status == 200, said
    world.aside |= set(MANNERS)

    await eventually(lambda: "session keeps" in world.rig.log() or tries(world, 31) >= 4, 40)
    for _ in range(3):
        began = time.monotonic()
        await world.deeds()
        await eventually(lambda: asyncio.to_thread(world.as_wanted), 30, every=0.1)
        for manner in MANNERS.values():
            took = time.monotonic() - began
            world.scorecard.record("containers", f"a session that {WORDS[manner]}, beside others", 1, [took])

    assert tries(world, 31) < 14, "23: it starts again and again without a pause"
    _, hungry = await world.rig.call("GET", "/v1/users/33")
    _, deaf = await world.rig.call("GET", "/v1/users/36")
    ready = {each["type"]: each["status"] for each in deaf["conditions"]}["Ready"]
    assert str(ready).lower() == "false", deaf
    assert any(word in str(hungry) for word in ("memory", "ended", "ending")), hungry
    processes = world.lab.container(34).attrs["HostConfig"]["PidsLimit"]
    assert 0 < processes <= 512, "17: a fork bomb ends at the limit"

    began = time.monotonic()
    gone = {"users": dict.fromkeys(map(str, MANNERS)), "force": True}
    status, said = await world.rig.call("PATCH", "/v1/users", gone)
    assert status == 200, said
    await eventually(lambda: not any(there(world, n) for n in MANNERS), 30)
    world.scorecard.record(
        "containers", "one that ignores SIGTERM is ended, and five others", 6, [time.monotonic() - began]
    )
    world.aside -= set(MANNERS)
    await world.settles()


WORDS = {
    "exits": "exits at once",
    "stubborn": "ignores SIGTERM",
    "hungry": "runs out of memory",
    "forks": "is a fork bomb",
    "floods": "floods its log",
    "deaf": "takes calls and never answers",
}


def there(world: World, user_id: int) -> bool:
    try:
        world.lab.container(user_id)
    except docker.errors.NotFound:
        return False
    return True


def tries(world: World, user_id: int) -> int:
    return len(re.findall(rf"action done user={user_id} action=start", world.rig.log()))


async def test_a_port_that_is_held(world: World) -> None:
    """16: whoever holds it is named and left alone; once it is free, the session comes."""
    with socket.socket() as holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.bind(("127.0.0.1", world.lab.http_base + 41))
        holder.listen()
        status, _ = await world.rig.call("PATCH", "/v1/users", {"users": {"41": {}}})
        assert status == 200
        world.aside.add(41)

        async def told() -> bool:
            _, user = await world.rig.call("GET", "/v1/users/41")
            return f"{world.lab.http_base + 41}" in str(user["conditions"])

        await eventually(told)
        await world.deeds()
        await world.held("containers", "a port held by another process, beside others", 1)
    world.aside.discard(41)
    world.wants[41] = Want()
    await world.held("containers", "the port is free again", 1)
    await world.ask({41: None})
    await world.settles()


async def test_an_image_that_goes_and_a_tag_that_moves(world: World) -> None:
    client = world.lab.client
    image = client.images.get(STAND_IN)
    started = world.runs()
    assert image.id is not None
    await asyncio.to_thread(client.images.remove, STAND_IN, force=True, noprune=True)
    try:
        await world.ask({42: {}})
        world.aside.add(42)

        async def told() -> bool:
            _, user = await world.rig.call("GET", "/v1/users/42")
            return "image" in str(user["conditions"]).lower()

        await eventually(told)
        await asyncio.to_thread(world.lab.container(11).reload)
        assert world.runs() == started, "an image that is gone ended a session"
    finally:
        image.tag(*STAND_IN.split(":"))
    world.aside.discard(42)
    await world.held("containers", "the image is gone for a while", 1)
    await world.ask({42: None})
    await world.settles()
    other = client.images.get("matlab-session:octave")
    other.tag(*STAND_IN.split(":"))
    try:
        started = world.runs()
        await world.settles()
        assert world.runs() == started, "14: a tag that moved ended a session"
        world.scorecard.record("containers", "the image's tag moves", 1)
    finally:
        image.tag(*STAND_IN.split(":"))
    await world.settles()


@pytest.mark.parametrize("times", [1, 2])
async def test_hands_on_the_engine(world: World, times: int) -> None:
    """Killed, paused, renamed, removed, its limits changed; and all of them twice running."""
    for _ in range(times):
        await asyncio.to_thread(world.hands)
    kinds = ("killed", "paused", "renamed", "removed by force", "its limits changed")
    took = await world.settles()
    await asyncio.to_thread(world.promises_held)
    for kind in kinds:
        world.scorecard.record("containers", f"{kind} by hand", times, [took])


async def test_limits_and_networks_by_hand(world: World) -> None:
    client = world.lab.client
    stray = client.networks.create(f"{world.lab.instance}-stray", labels={"mcm.instance": f"{world.lab.instance}-x"})
    try:
        container = world.lab.container(10)
        stray.connect(container)
        world.lab.container(9).update(restart_policy={"Name": "always"})
        world.lab.container(8).update(mem_limit=80 * MIB, memswap_limit=200 * MIB)

        def right() -> bool:
            nine, ten = world.lab.container(9).attrs, world.lab.container(10).attrs
            return (
                nine["HostConfig"]["RestartPolicy"]["Name"] in ("no", "")
                and len(ten["NetworkSettings"]["Networks"]) == 1
            )

        await eventually(right)
    finally:
        stray.remove()
    await world.held("containers", "restart policy, swap and networks changed by hand", 3)


async def test_all_are_removed_at_once(world: World) -> None:
    mine = [world.lab.container(n) for n in world.wants if n != 90 and there(world, n)]
    await asyncio.gather(*(asyncio.to_thread(c.remove, force=True) for c in mine))
    world.everything_may_have_ended()
    await world.held("containers", "every session removed by force at once", len(mine))


async def test_a_strangers_container_takes_the_name(world: World) -> None:
    """4, 16: between the removal and our next look, somebody else has the name."""
    name = world.lab.name(7)
    await asyncio.to_thread(world.lab.container(7).remove, force=True)
    theirs = None
    for _ in range(50):
        try:
            theirs = await asyncio.to_thread(world.lab.client.containers.create, STAND_IN, name=name)
            break
        except docker.errors.APIError:  # we were slower
            with contextlib.suppress(docker.errors.NotFound):  # its name is taken before it is there
                await asyncio.to_thread(world.lab.container(7).remove, force=True)
    assert theirs is not None
    world.aside.add(7)
    world.watch(theirs)
    await world.deeds()
    await world.held("containers", "a stranger takes a session's name", 1)
    world.forget(theirs)
    await asyncio.to_thread(theirs.remove, force=True)
    world.aside.discard(7)
    assert await world.held("containers", "the stranger goes again", 1) < 15
