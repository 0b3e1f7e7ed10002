"""From one Docker host to a swarm and back, with what users have written; ended halfway, and begun again."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.faults.engine import STAND_IN
from tests.rig import Rig
from tests.shell import COMMAND, ROOT
from tests.support import Lab, eventually, manifest, meanwhile
from tests.swarm_cluster import PATIENCE, Cluster, Node

pytestmark = pytest.mark.skipif(shutil.which("rsync") is None, reason="no rsync here (`make test` installs it)")

BOTH = f"""\
insecure: true
api_tokens: off
session_tokens: off
resync_seconds: 2
profiles:
  standard: {{image: "{STAND_IN}", cpus: 1, memory: 64m, shm: 1m}}
"""
"""Sessions have a core, so that none is slow to come up for want of it."""
USERS = (1, 2, 3, 4)
WRITES = """\
mkdir -p deep/er
head -c 300000 /dev/urandom > deep/er/numbers
ln deep/er/numbers again
ln -s /etc/passwd away
echo 'x = 1;' > startup.m
chmod 640 startup.m
echo kept > "with a name, of sorts"
"""
SHARED = "/home/matlab/shared"


class Host(Rig):
    """A controller whose settings say where data is."""

    def environment(self, **changes: str) -> dict[str, str]:
        own = super().environment(**changes)
        return {name: value for name, value in own.items() if name not in ("MCM_DATA_ROOT", "DOCKER_HOST")}

    def settings(self, name: str, **more: object) -> Path:
        file = self.lab.folder / name
        file.write_text(BOTH + "".join(f"{name}: {json.dumps(value)}\n" for name, value in more.items()))
        return file

    async def migrate(self, *words: str) -> tuple[int, str]:
        process = await self.migrating(*words)
        said, _ = await process.communicate()
        return process.returncode or 0, said.decode()

    async def migrating(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(*COMMAND, "migrate", *words, "--yes"),
            cwd=self.lab.folder,
            env={**self.environment(), "PYTHONPATH": str(ROOT)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )


@pytest.fixture
async def host(cluster: Cluster, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Host]:
    """On the engine of the swarm's manager, as that of a host which becomes a node; nothing of the swarm's is used."""
    host = Host(Lab(cluster.manager.client, "default", tmp_path, 20000, 30000, 31000))
    url = cluster.manager.url
    host.settings("controller.yaml", docker_host=url, bind_address=cluster.manager.address, data_root="here")
    host.settings("swarm.yaml", docker_host=url, engine="swarm", data_root="there")
    await host.start()
    yield host
    await host.close()
    request.node.add_report_section("teardown", "controller's log", host.log())
    for row in cluster.api.containers(all=True, filters={"label": "mcm.instance=default"}):
        cluster.api.remove_container(row["Id"], force=True)
    await cluster.cleared()


async def test_users_keep_their_files_and_their_wish_to_a_swarm_and_back(host: Host, cluster: Cluster) -> None:
    await all_write(host, cluster)
    await host.destroy(4)  # whose files stay
    wish, generations = host.wish.read_bytes(), await host.call("GET", "/v1/history")
    here, there = host.lab.folder / "here", host.lab.folder / "there"
    async with meanwhile(at_most_one_writer(cluster)):
        await host.stop()
        assert "1-3 are ended" in (await host.migrate("swarm.yaml", "--plan"))[1]
        assert len(running(cluster)) == 3
        code, said = await host.migrate("swarm.yaml")
        assert code == 0, said
        assert manifest(there) == manifest(here)
        assert {each.name for each in there.iterdir()} == {f"user_{user_id}" for user_id in USERS}
        assert running(cluster) == Counter()
        assert (await host.migrate("swarm.yaml"))[0] == 0, "what is done already is no fault"

        await host.start()
        for user_id in (1, 2, 3):
            await host.comes_up(user_id)
        assert (host.wish.read_bytes(), await host.call("GET", "/v1/history")) == (wish, generations)
        assert {(await told(host, user_id))["desired"]["session_id"] for user_id in (1, 2, 3)} == {
            "seat-1",
            "seat-2",
            "seat-3",
        }
        assert (await told(host, 1))["observed"]["container"]["node"]["name"] in {node.name for node in cluster.nodes}
        assert manifest(there / "user_2") == manifest(here / "user_2")
        await asyncio.to_thread(said_by, cluster, 1, "rm startup.m && echo more > written-there")

        await host.stop()
        [before] = host.lab.folder.glob("controller.before-*.yaml")
        code, said = await host.migrate(before.name)
        assert code == 0, said
        back = {path: what for path, what in manifest(here).items() if not path.startswith("before-")}
        assert back == manifest(there)
        [aside] = here.glob("before-*")
        assert (aside / "user_1" / "startup.m").read_text() == "x = 1;\n", "what was there otherwise is not lost"
        assert cluster.api.services() == []
        await host.start()
        for user_id in (1, 2, 3):
            await host.comes_up(user_id)
        assert (await told(host, 1))["observed"]["container"]["node"] is None
        assert (host.wish.read_bytes(), await host.call("GET", "/v1/history")) == (wish, generations)
        assert await asyncio.to_thread(said_by, cluster, 1, "cat written-there") == "more\n"


@pytest.mark.parametrize("line", [b"sessions", b"no session runs", b"user 1:", b"user 3:"])
async def test_a_migration_that_is_killed_goes_on_where_it_was(host: Host, cluster: Cluster, line: bytes) -> None:
    await all_write(host, cluster)
    settings, wish = (host.lab.folder / "controller.yaml").read_text(), host.wish.read_bytes()
    here, there = host.lab.folder / "here", host.lab.folder / "there"
    async with meanwhile(at_most_one_writer(cluster)):
        await host.stop()
        process = await host.migrating("swarm.yaml")
        assert process.stdout is not None
        while line not in await process.stdout.readline():
            assert not process.stdout.at_eof(), "it came to its end before"
        process.kill()
        await process.wait()
        assert (host.lab.folder / "controller.yaml").read_text() == settings
        seen = await asyncio.to_thread(lambda: manifest(here))

        async def goes_on() -> bool:
            code, said = await host.migrate("swarm.yaml")
            assert code == 0 or "Another controller" in said, said  # what it began is still copying
            return code == 0

        await eventually(goes_on, PATIENCE)
        assert manifest(there) == manifest(here) == seen
        assert running(cluster) == Counter()
        assert cluster.api.containers(all=True, filters={"label": "mcm.instance=default"}) == []
        await host.start()
        for user_id in USERS:
            await host.comes_up(user_id)
        assert host.wish.read_bytes() == wish


async def test_one_that_is_killed_leaves_what_there_was_to_whoever_starts_the_controller_again(
    host: Host, cluster: Cluster
) -> None:
    await host.create(1)
    await host.comes_up(1)
    await host.stop()
    process = await host.migrating("swarm.yaml")
    assert process.stdout is not None
    while b"user 1:" not in await process.stdout.readline():
        assert not process.stdout.at_eof()
    process.kill()
    await process.wait()
    await host.start()
    await host.comes_up(1)
    assert (await told(host, 1))["observed"]["container"]["node"] is None


async def test_what_a_node_lacks_is_told_before_anybodys_session_has_ended(host: Host, cluster: Cluster) -> None:
    image = "mcm-only-here:1"
    assert cluster.manager.client.images.get(STAND_IN).tag("mcm-only-here", "1")
    await host.create(1)
    await host.comes_up(1)
    await host.stop()
    ran = running(cluster)
    url, own = cluster.manager.url, {"engine": "swarm", "data_root": "there"}
    file = host.settings("swarm.yaml", docker_host=url, **own)
    file.write_text(file.read_text().replace(STAND_IN, image))
    code, said = await host.migrate("swarm.yaml")
    assert code == 1, said
    assert "Nothing was done." in said
    assert "Node n2, profile standard: No such image: mcm-only-here:1" in said
    assert "Node n1" not in said

    other = host.lab.folder / "there" / "user_0"
    other.mkdir(mode=0o700, parents=True)  # root's, as on an export that sessions may not write to
    host.settings("swarm.yaml", docker_host=url, **own)
    code, said = await host.migrate("swarm.yaml")
    assert code == 1, said
    for node in cluster.nodes:
        assert f"Node {node.name}, profile standard: what it has at {other} is not what this machine has" in said
    assert running(cluster) == ran
    assert cluster.api.services() == []
    assert not other.exists()


async def test_a_node_that_is_no_manager_is_no_place_to_go_to(host: Host, cluster: Cluster) -> None:
    await host.stop()
    host.settings("swarm.yaml", docker_host=cluster.nodes[1].url, engine="swarm", data_root="there")
    code, said = await host.migrate("swarm.yaml")
    assert code == 1, said
    assert "The engine to migrate to: The Docker engine is no manager of a swarm" in said


# ---------------------------------------------------------------- what is where


async def all_write(host: Host, cluster: Cluster) -> None:
    """Each user has a session, which has written what is then to be found."""

    async def one(user_id: int) -> None:
        await host.create(user_id, session_id=f"seat-{user_id}")
        await host.comes_up(user_id)
        await asyncio.to_thread(said_by, cluster, user_id, WRITES)

    await asyncio.gather(*map(one, USERS))


async def told(host: Host, user_id: int) -> Any:
    return (await host.call("GET", f"/v1/users/{user_id}"))[1]


def sessions(node: Node) -> Sequence[Any]:
    """Containers in which some user's folder is mounted, whoever made them."""
    rows = node.client.api.containers()
    return [row for row in rows if any(each["Destination"] == SHARED for each in row["Mounts"])]


def running(cluster: Cluster) -> Counter[str]:
    """How many have each user's folder, in whatever place it is."""
    found: Counter[str] = Counter()
    for node in cluster.nodes:
        for row in sessions(node):
            found.update(Path(each["Source"]).name for each in row["Mounts"] if each["Destination"] == SHARED)
    return found


async def at_most_one_writer(cluster: Cluster) -> None:
    while True:
        found = await asyncio.to_thread(running, cluster)
        twice = {name: count for name, count in found.items() if count > 1 and name != "user_0"}
        assert not twice, f"two sessions write into one folder: {twice}"
        await asyncio.sleep(0.05)


def said_by(cluster: Cluster, user_id: int, script: str) -> str:
    """What a user's session prints to this, in that user's folder."""
    for node in cluster.nodes:
        for row in sessions(node):
            if any(each["Source"].endswith(f"/user_{user_id}") for each in row["Mounts"]):
                code, output = node.client.containers.get(row["Id"]).exec_run(["sh", "-ec", script], workdir=SHARED)
                assert isinstance(output, bytes)
                assert code == 0, output
                return output.decode()
    raise LookupError(user_id)
