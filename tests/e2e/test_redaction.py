"""No secret is seen where it does not belong: one run with every secret there is, and then a search of every place.

A secret counts as seen however it is written: as it is, quoted for an address, as hex, or within base64.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import aiohttp
import psutil
import pytest

from tests.git_remotes import TOKEN, WRONG, Remote, by_https
from tests.git_world import Forge
from tests.rig import PROFILES, Rig
from tests.shell import environment, run
from tests.support import Lab, eventually
from tests.unit.test_listener import a_certificate

Places = dict[str, bytes]
HOOK, HOOK_SECRET = "an-address-is-a-secret", "what-webhooks-are-signed-with"
KEEPERS = ("api-token", "token-secret", "refresh-secret")
"""Files that are there to hold one secret each."""
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
IN_ONE = """
import json, sys
from click.testing import CliRunner
from controller.cli import main
asked = {words: CliRunner().invoke(main, words.split(), prog_name="matlabctl") for words in sys.argv[1:]}
print(json.dumps({words: done.output for words, done in asked.items()}))
"""
COMMANDS = (
    "settings",
    "settings -o json",
    "status",
    "why 1",
    "doctor",
    "audit",
    "export",
    "token list",
    "backup kept.tar.gz",
    "settings --config wrong.yaml",
)
ASKED = (
    *("/", "/list", "/healthz", "/readyz", "/v1/status", "/v1/plan", "/v1/desired-state", "/v1/history"),
    *("/v1/history/1", "/v1/events?limit=1000", "/v1/audit?limit=1000", "/openapi.json", "/docs", "/v1/users/1/logs"),
)


# ---------------------------------------------------------------- the search


def forms(secret: bytes) -> set[bytes]:
    """How a secret may be written. Within base64 it stands in one of three ways, but for its first and last letters."""
    assert len(secret) >= 16, "of a shorter one, some letters stand anywhere by chance"
    shifted = [base64.b64encode(bytes(shift) + secret) for shift in range(3)]
    inner = [each[4 if shift else 0 : len(secret) * 4 // 3 - 2] for shift, each in enumerate(shifted)]
    url_safe = [each.translate(bytes.maketrans(b"+/", b"-_")) for each in inner]
    return {secret, quote(secret, safe="").encode(), secret.hex().encode(), *inner, *url_safe}


def seen(secrets: Mapping[str, bytes], places: Mapping[str, bytes]) -> set[tuple[str, str]]:
    """Which secret stands where."""
    return {
        (name, place)
        for name, secret in secrets.items()
        for place, content in places.items()
        if any(form in content for form in forms(secret))
    }


@pytest.mark.parametrize("before", [b"", b"x", b"xy", b"lab:"])
def test_the_search_finds_a_secret_however_it_is_written(before: bytes) -> None:
    secret = b"t0ken/with:signs+and-more"
    written = {
        "as it is": before + secret,
        "in an address": b"https://" + before + quote(secret, safe="").encode() + b"@host",
        "in a header": b"Basic " + base64.b64encode(before + secret),
        "in an address in base64": base64.urlsafe_b64encode(before + secret),
        "as hex": (before + secret).hex().encode(),
        "nowhere": b"t0ken/with",
    }
    assert {place for _, place in seen({"token": secret}, written)} == written.keys() - {"nowhere"}


# ---------------------------------------------------------------- a run with every secret there is


@dataclass
class Run:
    rig: Rig
    forge: Forge
    remote: Remote
    secrets: dict[str, bytes]
    places: Places
    settings: dict[str, str]

    @property
    def state(self) -> Path:
        return self.rig.lab.folder / "state"

    async def command(self, *commands: str, **more: str) -> None:
        """All of them in one process, since starting is most of the work of each."""
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-c", IN_ONE, *commands],
            cwd=self.rig.lab.folder,
            env=environment(**self.settings, **more),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        self.places |= {f"matlabctl {words}": said.encode() for words, said in json.loads(done.stdout).items()}


@asynccontextmanager
async def caller(rig: Rig, token: str) -> AsyncIterator[aiohttp.ClientSession]:
    url, headers = f"https://127.0.0.1:{rig.lab.api_port}", {"Authorization": f"Bearer {token}"}
    timeout, unchecked = aiohttp.ClientTimeout(60), aiohttp.TCPConnector(ssl=False)
    async with aiohttp.ClientSession(url, connector=unchecked, headers=headers, timeout=timeout) as http:
        yield http


async def answers(http: aiohttp.ClientSession, path: str) -> bool:
    async with http.get(path) as answer:
        return answer.status == 200


@pytest.fixture
async def a_run(idle_rig: Rig, lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Run]:
    rig, forge, server = idle_rig, Forge(tmp_path, "version: 1\nusers: {}\n"), tmp_path / "server"
    server.mkdir()
    certificate, key = a_certificate(lab.folder, "lab")
    async with by_https(forge.remote, server) as remote:
        follow(rig, remote.url)
        settings = rig.environment(
            MCM_API_TOKENS="on",
            MCM_SESSION_TOKENS="on",
            MCM_LOG_LEVEL="debug",
            MCM_API_TLS_CERT=str(certificate),
            MCM_API_TLS_KEY=str(key),
            **remote.environment,
        )
        del settings["MCM_DESIRED_STATE"]
        monkeypatch.setattr(rig, "environment", lambda **changes: settings | changes)
        made = await asyncio.to_thread(run, lab.folder, "token", "create", "--name", "ci", **settings)
        secrets = {
            "token of the API": made.stdout.strip().encode(),
            "git's token": TOKEN.encode(),
            "address of a webhook": HOOK.encode(),
            "secret of a webhook": HOOK_SECRET.encode(),
            "TLS key": key.read_bytes().splitlines()[1],
        }
        yield Run(rig, forge, remote, secrets, {}, settings)


def follow(rig: Rig, url: str) -> None:
    branch = f"desired_state:\n  git: {{url: '{url}', path: wish.yaml, interval: 600, write: true}}\n"
    broken = "".join([PROFILES, "  gone: {image: 'no-such-image:1'}\n"])
    hook = f"webhooks:\n  nobody: {{url: 'http://me:{HOOK}@127.0.0.1:9/{HOOK}', secret_file: hook-secret}}\n"
    (rig.lab.folder / "controller.yaml").write_text(broken + branch + hook)
    (rig.lab.folder / "hook-secret").write_text(HOOK_SECRET)
    (rig.lab.folder / "hook-secret").chmod(0o600)


async def test_no_secret_is_seen_where_it_does_not_belong_and_a_leak_would_be(a_run: Run, lab: Lab) -> None:
    rig, ci = a_run.rig, a_run.secrets["token of the API"].decode()
    await with_a_wrong_token_for_git(a_run)
    await rig.start(wait=False)
    async with caller(rig, ci) as http:
        await eventually(lambda: answers(http, "/readyz"))
        a_run.secrets |= {name: (a_run.state / name).read_bytes().strip() for name in KEEPERS}
        await misuse(a_run, http)
        async with http.get("/v1/users/1") as answer:
            told = await answer.read()
        token = json.loads(told)["access_url"].partition("token=")[2].encode()
        a_run.secrets["token of a session"] = token
        a_run.places["GET /v1/users/1, beside the addresses"] = told.replace(token, b"")
        a_run.places["processes, as anybody sees them while git fetches"] = await while_git_fetches(a_run, http)
        for path in ASKED:
            async with http.get(path) as answer:
                a_run.places[f"GET {path}"] = await answer.read()
        await a_run.command(*COMMANDS)
        await a_run.command("list", MCM_TOKEN=f"{ci}wrong")
        look_around(a_run, lab)
        assert seen(a_run.secrets, a_run.places) == set()
        assert modes(a_run.state) == {"": 0o700} | dict.fromkeys((*KEEPERS, "api-tokens.json"), 0o600)
        assert stat.S_IMODE((lab.folder / "kept.tar.gz").stat().st_mode) == 0o600

        a_run.places.clear()
        async with http.post(
            "/v1/pause", json={}, headers={"X-Request-ID": ci}
        ) as answer:  # as a careless caller might
            assert answer.status == 200
        look_around(a_run, lab)
        await a_run.command("audit")
        leaks = seen(a_run.secrets, a_run.places)
    assert leaks == {
        ("token of the API", place) for place in ("log", "state", "the branch", "our copy of it", "matlabctl audit")
    }


async def with_a_wrong_token_for_git(a_run: Run) -> None:
    """And a log of objects."""
    follow(a_run.rig, a_run.remote.stranger[0])
    a_run.secrets["git's wrong token"] = WRONG.encode()
    await a_run.rig.start(wait=False, MCM_LOG_FORMAT="json")
    async with caller(a_run.rig, "none") as http:
        await eventually(lambda: answers(http, "/healthz"))
    await eventually(lambda: "Authentication failed" in a_run.rig.log())
    await a_run.command("status", "doctor")
    await a_run.rig.stop()
    follow(a_run.rig, a_run.remote.url)


async def misuse(a_run: Run, http: aiohttp.ClientSession) -> None:
    """What works, and all that goes wrong with a secret in hand."""
    secret, wrong = (text.decode() for text in (a_run.secrets["refresh-secret"], a_run.secrets["token of the API"]))
    calls: tuple[tuple[str, str, dict[str, object]], ...] = (
        ("POST", "/create", {"json": {"user_id": 1, "session_id": "abc-123"}}),
        ("PUT", "/v1/users/2", {"json": {"profile": "gone"}}),
        ("GET", f"/list?token={wrong}", {}),
        ("GET", f"/v1/status?access_token={wrong}", {}),
        ("GET", "/list", {"headers": {"Authorization": f"Bearer {wrong}x"}}),
        ("GET", "/list", {"headers": {"Authorization": f"Basic {wrong}"}}),
        ("POST", "/v1/refresh", {"headers": {"X-Refresh-Secret": secret}}),
        ("POST", "/v1/refresh", {"headers": {"X-Gitlab-Token": f"{secret}x"}}),
        ("POST", "/create", {"data": b"{"}),
    )
    for number, (method, path, options) in enumerate(calls):
        async with http.request(method, path, **options) as answer:  # type: ignore[arg-type]
            a_run.places[f"misuse {number}, {answer.status}"] = await answer.read()
    url = a_run.remote.url.replace("@", " @")
    (a_run.rig.lab.folder / "wrong.yaml").write_text(
        f"desired_state: {{git: {{url: '{url}', branch: '..'}}}}\n"
        f"webhooks: {{a: {{url: 'ftp://h/{HOOK}'}}, b: '{HOOK}'}}\n"
    )
    await eventually(lambda: "webhook fails" in a_run.rig.log())


async def while_git_fetches(a_run: Run, http: aiohttp.ClientSession) -> bytes:
    """What everybody on the machine may read of every process, at a moment when git speaks with the remote."""
    assert a_run.rig.process is not None
    controller = psutil.Process(a_run.rig.process.pid)
    a_run.remote.wire.silent = True
    headers = {"X-Refresh-Secret": a_run.secrets["refresh-secret"].decode()}
    async with http.post("/v1/refresh", headers=headers) as answer:
        assert answer.status == 202
    await eventually(lambda: speaks_git(controller))
    shown = await asyncio.to_thread(for_anybody)
    assert b"git-remote-http" in shown
    assert sys.executable.encode() in shown
    a_run.remote.wire.silent = False
    a_run.remote.wire.cut()
    return shown


def speaks_git(controller: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):  # one that was there at the first look
        return any("git-remote" in each.name() for each in controller.children(recursive=True))
    return False


def for_anybody() -> bytes:
    """All processes' command lines and environments, as another user may read them; as the same one, the former."""
    command = ["sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null; true"]
    if os.geteuid() == 0:
        command = [*NOBODY, "sh", "-c", "cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null; true"]
    return subprocess.run(command, cwd="/", capture_output=True, timeout=60, check=True).stdout


def look_around(a_run: Run, lab: Lab) -> None:
    """Everything that is kept or written, but the files that hold the secrets."""
    a_run.places |= {
        "log": a_run.rig.log_file.read_bytes(),
        "containers": json.dumps([each.attrs for each in lab.containers()]).encode(),
        "the branch": objects(a_run.forge.remote),
        "our copy of it": objects(a_run.state / "git"),
        "state": b"".join(content(file) for file in a_run.state.rglob("*") if file.name not in KEEPERS),
    }


def content(file: Path) -> bytes:
    """Nothing where it is a folder, or one that git or the history made for a moment and has taken away."""
    with contextlib.suppress(FileNotFoundError, IsADirectoryError):
        return file.read_bytes()
    return b""


def objects(repository: Path) -> bytes:
    command = ("git", "--git-dir", str(repository), "cat-file", "--batch-all-objects", "--batch")
    return subprocess.run(command, capture_output=True, timeout=60, check=True).stdout


def modes(state: Path) -> dict[str, int]:
    """Of the folder itself, and of the secrets in it."""
    files = {file.name: file for file in (*map(state.joinpath, KEEPERS), state / "api-tokens.json")}
    return {name: stat.S_IMODE(file.stat().st_mode) for name, file in ({"": state} | files).items()}
