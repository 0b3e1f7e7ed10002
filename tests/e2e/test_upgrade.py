"""What a version before made goes on as it is; what a hand changed does not. On real containers."""

from __future__ import annotations

import asyncio
import re

from controller.engine.labels import LABEL_HARDENING
from controller.fence import network_name
from tests.rig import Rig
from tests.support import Lab, eventually


async def enclosed(rig: Rig) -> tuple[str, str]:
    _, told = await rig.call("GET", "/v1/users/1")
    [found] = [each for each in told["conditions"] if each["type"] == "Enclosed"]
    return found["status"], found["reason"]


async def test_an_upgrade_ends_no_session_and_a_restart_brings_it_over(idle_rig: Rig, lab: Lab) -> None:
    rig = idle_rig
    await rig.start(wait=True, MCM_RESYNC_SECONDS="1")
    await rig.create(1)
    await rig.stop()
    old = await asyncio.to_thread(
        lab.remake, str(lab.container(1).id), host={"NetworkMode": "default"}, without=(LABEL_HARDENING,)
    )
    lab.container(1).start()

    await rig.start(wait=True, MCM_RESYNC_SECONDS="1")
    resyncs = (await rig.call("GET", "/v1/status"))[1]["queue"]["resyncs"]

    async def looked_thrice() -> bool:
        return bool((await rig.call("GET", "/v1/status"))[1]["queue"]["resyncs"] >= resyncs + 3)

    await eventually(looked_thrice)
    assert (lab.container(1).id, lab.container(1).status) == (old, "running")
    assert await enclosed(rig) == ("False", "MadeOtherwise")

    assert (await rig.call("POST", f"/restart/{lab.name(1)}"))[0] == 200
    await rig.comes_up(1)
    assert lab.container(1).id != old
    assert await enclosed(rig) in (("True", "Enclosed"), ("False", "NetworkOpen"))


async def test_what_a_hand_changed_is_put_right_under_the_running_session(idle_rig: Rig, lab: Lab) -> None:
    rig = idle_rig
    await rig.start(wait=True, MCM_RESYNC_SECONDS="1")
    await rig.create(1)
    container = lab.container(1)
    container.update(mem_limit="256m", memswap_limit="1g", restart_policy={"Name": "always"})
    lab.client.networks.get("bridge").connect(container)

    def right_again() -> bool:
        now = lab.container(1).attrs
        host, networks = now["HostConfig"], now["NetworkSettings"]["Networks"]
        held = (host["MemorySwap"], host["RestartPolicy"]["Name"]) == (host["Memory"], "no")
        return held and set(networks) == {network_name(lab.instance)}

    await eventually(right_again)
    assert lab.container(1).attrs["State"]["StartedAt"] == container.attrs["State"]["StartedAt"]


async def test_a_container_that_lost_its_flags_is_told_of_and_made_anew_at_its_end(idle_rig: Rig, lab: Lab) -> None:
    """Somebody made it by hand and gave it our labels."""
    rig = idle_rig
    await rig.start(wait=True, MCM_RESYNC_SECONDS="1")
    await rig.create(1)
    await rig.stop()
    forged = await asyncio.to_thread(lab.remake, str(lab.container(1).id), host={"Privileged": True})
    lab.container(1).start()
    await rig.start(wait=True, MCM_RESYNC_SECONDS="1")
    await eventually(lambda: _told(rig))
    assert lab.container(1).id == forged
    lab.container(1).kill()
    await eventually(lambda: lab.container(1).id != forged and lab.container(1).status == "running")
    assert lab.container(1).attrs["HostConfig"]["Privileged"] is False
    assert re.search(r'action=remove reason="it is not held as it was made: .*Privileged is True"', rig.log())


async def _told(rig: Rig) -> bool:
    return await enclosed(rig) == ("False", "Changed")
