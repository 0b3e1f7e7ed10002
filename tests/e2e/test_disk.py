"""A session that fills its folder is told of, and goes on; on a real container."""

from __future__ import annotations

from tests.rig import Rig
from tests.support import Lab, eventually


async def test_a_folder_over_its_quota_is_told_and_the_session_goes_on(idle_rig: Rig, lab: Lab) -> None:
    rig = idle_rig
    settings = lab.folder / "controller.yaml"
    settings.write_text(settings.read_text().replace("standard: {", "standard: {disk: 2m, "))
    await rig.start(MCM_DISK_CHECK_SECONDS="1")
    await rig.create(1)
    container = lab.container(1)

    async def stands(reason: str) -> bool:
        _, user = await rig.call("GET", "/v1/users/1")
        return any((each["type"], each["reason"]) == ("WithinQuota", reason) for each in user["conditions"])

    def in_session(command: str) -> None:
        code, said = container.exec_run(["sh", "-c", command], workdir="/home/matlab/shared")
        assert code == 0, said

    await eventually(lambda: stands("WithinQuota"))
    in_session("head -c 3m /dev/urandom >large")
    await eventually(lambda: stands("DiskQuotaExceeded"))
    in_session("rm large")
    await eventually(lambda: stands("WithinQuota"))
    _, told = await rig.call("GET", "/v1/events?user_id=1")
    assert [each["reason"] for each in told["events"] if "Quota" in each["reason"]] == ["OverQuota", "WithinQuota"]
    assert lab.container(1).attrs["State"]["StartedAt"] == container.attrs["State"]["StartedAt"]
