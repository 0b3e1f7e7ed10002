"""The Docker engine's answers as no engine should give them: the unknown stays unknown, and nothing falls over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from controller.engine import EngineEvent
from controller.engine.docker import DockerEngine
from controller.errors import EngineRefused, EngineUnavailable, LeftBehind, NoSuchContainer, PortTaken
from controller.model import Phase
from tests.shell import run

INFO = {"NCPU": 2, "ServerVersion": "20.10", "SystemTime": "2026-11-22T12:00:00.123456789Z"}
BOX = {
    "Id": "c1",
    "Name": "/u7",
    "Created": "2026-11-22T12:00:00Z",
    "State": {
        **{"Status": "running", "StartedAt": "2026-11-22T12:00:01Z", "ExitCode": 0, "OOMKilled": False},
        **{"Error": "", "Pid": 4711},
    },
    "Config": {"Image": "i", "Labels": {"mcm.instance": "test", "mcm.user-id": "7"}},
    "HostConfig": {
        **{"NanoCpus": 0, "Memory": 0, "MemorySwap": 0, "PidsLimit": None},
        "Mounts": [{"Type": "bind", "Source": "/srv/user_7", "Target": "/home/matlab/shared"}],
    },
    "NetworkSettings": {"Networks": {}},
}
PAGE_NOT_FOUND = (404, {"message": "page not found"})
GONE = (404, {"message": "No such container: c1"})

Said = tuple[int, Any]


@dataclass
class Socket:
    """Answers each path as it is told to, and as a healthy engine with nothing on it otherwise."""

    said: dict[str, Said] = field(default_factory=dict)
    listeners: list[web.BaseSite] = field(default_factory=list)
    happened: dict[str, Any] | None = None
    """While it began to answer who asks for events: it tells of it to those who name an earlier moment."""

    async def answer(self, request: web.Request) -> web.Response:
        path = request.path.partition("/v1.")[2].partition("/")[2] or request.path.lstrip("/")
        healthy: dict[str, Said] = {
            "version": (200, {"ApiVersion": "1.41"}),
            "info": (200, INFO),
            "containers/json": (200, []),
        }
        if self.happened is not None and float(request.query.get("since", "inf")) <= self.happened["time"]:
            healthy["events"] = (200, self.happened)
        status, body = self.said.get(path) or healthy.get(path, GONE)
        return web.json_response(body, status=status)

    async def takes_nobody_new(self) -> None:
        """As an engine on its way out: it serves whoever is connected, and listens no more."""
        for listener in self.listeners:
            await listener.stop()

    def holds(self, **labels: str) -> None:
        """One container, with these labels beside our instance's."""
        config = {"Image": "i", "Labels": {"mcm.instance": "test", **labels}}
        self.said["containers/json"] = (200, [{"Id": "c1"}])
        self.said["containers/c1/json"] = (200, {**BOX, "Config": config})


@pytest.fixture
async def socket(tmp_path: Path) -> AsyncIterator[Socket]:
    socket = Socket()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", socket.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    socket.listeners.append(web.UnixSite(runner, str(tmp_path / "engine.sock")))
    await socket.listeners[0].start()
    yield socket
    await runner.cleanup()


@pytest.fixture
async def engine(socket: Socket, tmp_path: Path) -> AsyncIterator[DockerEngine]:
    engine = DockerEngine(f"unix://{tmp_path}/engine.sock", "test", "u", stop_grace=1, threads_for_changes=2)
    yield engine
    await engine.close()


async def listen(engine: DockerEngine) -> None:
    async with engine.events() as events:
        async for _ in events:
            pass


Look = Callable[[DockerEngine], Awaitable[object]]
LOOKS: list[tuple[str, Look]] = [
    ("info", lambda engine: engine.info()),
    ("containers/json", lambda engine: engine.survey()),
    ("containers/json", lambda engine: engine.find(7)),
    ("containers/u7/json", lambda engine: engine.find(7)),
    ("events", listen),
]


@pytest.mark.parametrize(("path", "look"), LOOKS)
@pytest.mark.parametrize("said", [PAGE_NOT_FOUND, (409, {"message": "no"}), (500, {"message": "oh"}), (503, {})])
async def test_a_question_that_is_refused_leaves_all_unknown(
    engine: DockerEngine, socket: Socket, path: str, look: Look, said: Said
) -> None:
    socket.said[path] = said
    with pytest.raises(EngineUnavailable):
        await look(engine)


@pytest.mark.parametrize(("path", "look"), LOOKS[:4])
@pytest.mark.parametrize("said", [None, [], {}, [None], [{}], "x", {"NCPU": "two"}])
async def test_an_answer_that_makes_no_sense_leaves_all_unknown(
    engine: DockerEngine, socket: Socket, path: str, look: Look, said: object
) -> None:
    if path == "containers/json" and said in ([], {}):
        return  # it says that there are none
    socket.said[path] = (200, said)
    with pytest.raises(EngineUnavailable):
        await look(engine)


async def test_a_404_to_a_change_is_an_absent_container_only_where_it_says_so(
    engine: DockerEngine, socket: Socket
) -> None:
    with pytest.raises(NoSuchContainer):
        await engine.start("c1")
    socket.said["containers/c1/start"] = (404, {"message": "network bridge not found"})
    with pytest.raises(EngineRefused, match="network bridge not found"):
        await engine.start("c1")


@pytest.mark.parametrize("label", ["0", "1000", "999999", "-7", "007", "٧", "", "7 ", "9" * 5000])
async def test_a_label_that_no_user_has_is_nobodys(engine: DockerEngine, socket: Socket, label: str) -> None:
    socket.holds(**{"mcm.user-id": label})
    assert list(await engine.survey()) == [7], "its name is whose it is"
    socket.said["containers/c1/json"] = (200, {**socket.said["containers/c1/json"][1], "Name": "/else"})
    assert await engine.survey() == {}


async def test_a_label_alone_makes_no_container_ours(engine: DockerEngine, socket: Socket) -> None:
    socket.holds(**{"mcm.user-id": "7"})
    socket.said["containers/c1/json"][1]["HostConfig"] = {**BOX["HostConfig"], "Mounts": None}  # type: ignore[dict-item]
    assert await engine.survey() == {}
    assert await engine.find(7) == ()


async def test_another_controllers_container_is_not_ours_whatever_the_engine_lists(
    engine: DockerEngine, socket: Socket
) -> None:
    socket.holds(**{"mcm.instance": "other", "mcm.user-id": "7"})
    assert await engine.survey() == {}
    assert await engine.find(7) == ()


async def test_another_users_container_under_this_users_name_is_not_this_users(
    engine: DockerEngine, socket: Socket
) -> None:
    socket.holds(**{"mcm.user-id": "8"})
    socket.said["containers/u7/json"] = socket.said["containers/c1/json"]
    socket.said["containers/json"] = (200, [])
    (found,) = await engine.find(7)
    assert (found.name, found.ours) == ("u7", False)


async def test_a_list_that_is_behind_hides_no_renamed_container_that_was_seen_before(
    engine: DockerEngine, socket: Socket
) -> None:
    """Its user would get a second one, and the first, with the session in it, be taken away as one too many."""
    socket.holds(**{"mcm.user-id": "7"})
    socket.said["containers/c1/json"][1]["Name"] = "/mine"
    assert [c.id for c in await engine.find(7)] == ["c1"]
    socket.said["containers/json"] = (200, [])
    for _ in range(2):
        assert [(c.id, c.name, c.ours) for c in await engine.find(7)] == [("c1", "mine", True)]
    del socket.said["containers/c1/json"]
    assert await engine.find(7) == ()


async def test_what_an_engine_stops_on_its_way_out_is_not_started_amid_that(
    engine: DockerEngine, socket: Socket
) -> None:
    """Found with `systemctl restart docker`: it takes no new connections then, but serves those that are kept."""
    socket.holds(**{"mcm.user-id": "7"})
    socket.said["containers/c1/start"] = (200, {})
    assert await engine.find(7) != ()
    await engine.start("c1")
    await socket.takes_nobody_new()
    assert await engine.find(7) != ()
    with pytest.raises(EngineUnavailable):
        await engine.start("c1")
    with pytest.raises(EngineUnavailable):
        await engine.find(7)


async def test_what_happens_while_the_engine_begins_to_answer_is_told(engine: DockerEngine, socket: Socket) -> None:
    """Docker sends the head of its answer, and only then begins to listen to itself."""
    ours = {"name": "u7", "mcm.instance": "test", "mcm.user-id": "7"}
    asked_at = datetime.fromisoformat(str(INFO["SystemTime"])).timestamp()
    socket.happened = {"Action": "die", "time": int(asked_at), "Actor": {"ID": "c1", "Attributes": ours}}
    async with engine.events() as events:
        assert await anext(aiter(events)) == EngineEvent(7, "c1", "die")


async def test_a_removal_that_is_under_way_already_is_no_failure(engine: DockerEngine, socket: Socket) -> None:
    socket.said["containers/c1"] = (409, {"message": "removal of container c1 is already in progress"})
    await engine.remove("c1")
    socket.holds(**{"mcm.user-id": "7"})
    removing = {**BOX["State"], "Status": "removing"}  # type: ignore[dict-item]
    socket.said["containers/c1/json"] = (200, {**BOX, "State": removing})
    (found,) = await engine.find(7)
    assert found.phase is Phase.REMOVING


@pytest.mark.parametrize(
    "sentence",
    [
        "driver failed: Error starting userland proxy: listen tcp4 127.0.0.1:30007: bind: address already in use",
        "driver failed: Bind for 127.0.0.1:30007 failed: port is already allocated",
        "driver failed: Bind for :::30007 failed: port is already allocated",
        "failed to bind host port for 127.0.0.1:30007:172.17.0.2:8888/tcp: address already in use",
        "failed to bind host port 127.0.0.1:30007/tcp: address already in use",
    ],
)
async def test_a_port_that_is_taken_is_read_from_every_wording(
    engine: DockerEngine, socket: Socket, sentence: str
) -> None:
    socket.said["containers/c1/start"] = (500, {"message": sentence})
    with pytest.raises(PortTaken) as told:
        await engine.start("c1")
    assert told.value.port == 30007


@pytest.mark.parametrize(
    "sentence",
    [
        "task c1 already exists: unknown",
        "AlreadyExists: task c1: already exists",
        "OCI runtime create failed: container with id exists: c1: unknown",
        'Conflict: container "c1" already exists: unknown',
        "failed to start shim: mkdir /run/containerd/io.containerd.runtime.v2.task/moby/c1: file exists",
    ],
)
async def test_what_an_engine_has_kept_of_a_run_is_read_from_every_wording(
    engine: DockerEngine, socket: Socket, sentence: str
) -> None:
    socket.said["containers/c1/start"] = (500, {"message": sentence})
    with pytest.raises(LeftBehind, match="exists"):
        await engine.start("c1")
    socket.holds(**{"mcm.user-id": "7"})
    for error in (sentence, "", 'Conflict. The container name "/c1" is already in use by container "c2".'):
        socket.said["containers/c1/json"] = (200, {**BOX, "State": {**BOX["State"], "Error": error}})  # type: ignore[dict-item]
        (found,) = await engine.find(7)
        assert found.left_behind is (error == sentence)


async def test_an_address_that_this_host_does_not_have_is_not_a_taken_port(
    engine: DockerEngine, socket: Socket
) -> None:
    why = "listen tcp4 10.9.9.9:30007: bind: cannot assign requested address"
    socket.said["containers/c1/start"] = (500, {"message": why})
    with pytest.raises(EngineRefused, match="cannot assign"):
        await engine.start("c1")


# ---------------------------------------------------------------- rootless: no strange answer, but a rare one


async def doctor(folder: Path) -> dict[str, dict[str, str]]:
    environment = {"DOCKER_HOST": f"unix://{folder}/engine.sock", "MCM_API_PORT": "19", "MCM_SESSION_USER": "1000:1000"}
    own = {"MCM_STATE_DIR": str(folder / "state"), "MCM_DATA_ROOT": str(folder / "data"), "MCM_INSTANCE": "test"}
    done = await asyncio.to_thread(run, folder, "doctor", "-o", "json", **environment, **own)
    return {each["what"]: each for each in json.loads(done.stdout)["findings"]}


async def test_a_rootless_engine_is_told_of_with_what_its_user_can_do(socket: Socket, tmp_path: Path) -> None:
    """As one of 20.10 on cgroup v1 says it."""
    cannot = dict.fromkeys(("CpuCfsQuota", "MemoryLimit", "SwapLimit", "PidsLimit"), False)
    socket.said["info"] = (
        200,
        {**INFO, **cannot, "SecurityOptions": ["name=seccomp,profile=default", "name=rootless"]},
    )
    socket.said["images/matlab-session:octave/json"] = (200, {})
    told = await doctor(tmp_path)
    assert told["limits"]["found"] == "Docker cannot limit cpus, memory, swap and processes here"
    assert told["limits"]["mend"].startswith("A rootless engine can on a machine with cgroup v2")
    give = f"-v {tmp_path}/data/user_N:/it matlab-session:octave chown 1000:1000 /it"
    assert told["rootless"]["mend"].endswith(give)
    assert "$XDG_RUNTIME_DIR/docker.pid" in told["network"]["mend"]
    assert "iptables-restore --noflush" in told["network"]["mend"]


async def test_an_engine_of_root_s_is_not_told_to_be_rootless(socket: Socket, tmp_path: Path) -> None:
    socket.said["info"] = (200, {**INFO, "SwapLimit": False})
    told = await doctor(tmp_path)
    assert "rootless" not in told
    assert told["limits"]["found"] == "Docker cannot limit swap here"
    assert "Type as the engine's user" not in told["network"]["mend"]
