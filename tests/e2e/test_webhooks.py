"""A real controller tells a receiver what it does, and after a kill -9 goes on where it was."""

from __future__ import annotations

import signal

from tests.rig import Rig
from tests.support import Lab, eventually
from tests.unit.test_webhooks import listening


async def test_what_a_call_led_to_is_sent_and_a_kill_loses_none_of_it(idle_rig: Rig, lab: Lab) -> None:
    rig, settings = idle_rig, lab.folder / "controller.yaml"
    async with listening() as receiver:
        hook = (
            f"webhooks:\n  platform: {{url: '{receiver.url}', kinds: [wish, action], reasons: [Added, ActionDone]}}\n"
        )
        settings.write_text(settings.read_text() + hook)
        await rig.start()
        await rig.call("POST", "/create", {"user_id": 1}, **{"X-Request-ID": "platform-1"})
        await eventually(lambda: len(receiver.heard) == 3)
        assert [each["message"].partition(":")[0] for each in receiver.told[1:]] == ["create", "start"]
        assert {(each["request_id"], each["user_id"], each["instance"]) for each in receiver.told} == {
            ("platform-1", 1, lab.instance)
        }
        receiver.answers = [500] * 1000
        await rig.create(2)
        await eventually(lambda: len(receiver.heard) > 3)
        await rig.call("GET", "/v1/events")  # what is told is written down
        await rig.stop(signal.SIGKILL)
        receiver.answers, heard = [], len(receiver.heard)
        await rig.start()

        def told_since() -> list[tuple[str, int]]:
            """Each event once: one that was on its way at the kill comes twice."""
            events = {each["id"]: each for each in receiver.told[heard:]}
            return [(each["reason"], each["user_id"]) for each in events.values()]

        await eventually(lambda: told_since() == [("Added", 2), ("ActionDone", 2), ("ActionDone", 2)])
