"""A hundred users in one edit of the file, on real containers."""

from __future__ import annotations

from tests.rig import Rig
from tests.support import Lab, eventually

USERS = range(1, 101)


async def test_a_hundred_users_in_one_edit_never_more_than_ten_starting(rig: Rig, lab: Lab) -> None:
    await rig.create(1)
    users = "".join(f"  {n}: {{}}\n" for n in USERS)
    rig.wish.write_text(rig.wish.read_text().replace("  1: {}\n", users))
    starting, progress = set(), []

    async def all_run() -> bool:
        _, status = await rig.call("GET", "/v1/status")
        starting.add(status["queue"]["starting"])
        progress.append(list((await rig.statuses()).values()).count("running"))
        return progress[-1] == len(USERS)

    await eventually(all_run, 480, every=0.1)
    assert max(starting) == 10
    assert len(set(progress)) > 5, "no progress was to be seen"
    assert len(lab.client.api.containers(all=True, filters={"label": f"mcm.instance={lab.instance}"})) == len(USERS)
    assert rig.log().count("action=start") == len(USERS)

    _, listed = await rig.call("GET", "/list")
    assert [row["user_id"] for row in listed["containers"]] == list(USERS)
