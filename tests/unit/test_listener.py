"""Where the API listens: TLS with real certificates, and a Unix socket; `matlabctl` finds its way to both."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import socket
import ssl
import stat
import subprocess
import warnings
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from controller import listener
from controller.caller import Scope
from controller.calls import Calls
from controller.doorkeeper import Door, Doorkeeper, Need, writer
from controller.errors import SettingsInvalid
from controller.http import answer, speaks_json
from controller.listener import Certificate, listening
from controller.settings import Settings
from controller.sources import load
from controller.tokens import TokenFile
from tests.shell import run
from tests.support import eventually


def a_certificate(folder: Path, name: str, *more: str) -> tuple[Path, Path]:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-subj", f"/CN={name}", "-days", "2", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command, *(more or ("-nodes",))], check=True, capture_output=True)
    return certificate, key


@contextlib.asynccontextmanager
async def an_api(settings: Settings) -> AsyncIterator[Certificate | None]:
    """What `GET /v1/plan` is answered with tells who asked."""
    tokens = TokenFile(settings.state_dir)
    if settings.api_locked:
        tokens.add_local()
    needs = {("GET", "/v1/plan"): Need(Scope.READ)}
    keeper = Doorkeeper(Door(settings.api_locked, settings.api_hosts), tokens)
    app = web.Application(middlewares=[speaks_json(Calls()), keeper.middleware(needs)])

    async def tell(request: web.Request) -> web.Response:
        nothing = {"user_id": 1, "action": "none", "reason": writer(request)}
        return answer({"generation": 1, "actions": [nothing]})

    app.router.add_get("/v1/plan", tell)
    async with listening(app, settings) as certificate:
        yield certificate


def settings_of(folder: Path, **changes: str) -> Settings:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    env = {"MCM_API_PORT": str(port), "MCM_STATE_DIR": str(folder / "state"), "MCM_MAX_USERS": "5"}
    env |= {f"MCM_{name.upper()}": value for name, value in changes.items()}
    (folder / "env.json").write_text(json.dumps(env))
    return load(None, env, {}).settings


async def asked_by_command(folder: Path, *words: str, **variables: str) -> str:
    env = {**json.loads((folder / "env.json").read_text()), **variables}
    done = await asyncio.to_thread(run, folder, "plan", "-o", "json", *words, **env)
    assert done.returncode in (0, 2), done.stderr
    return str(json.loads(done.stdout)["actions"][0]["reason"])


# ---------------------------------------------------------------- the socket


async def test_a_socket_takes_calls_in_the_place_of_the_port_and_knows_who_calls(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    settings = settings_of(tmp_path, api_socket=str(path))
    async with an_api(settings):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", settings.api_port)) != 0
        assert ", user " in await asked_by_command(tmp_path)
        assert ", user " in await asked_by_command(tmp_path, "--server", f"unix://{path}")
    assert not path.exists()
    done = await asyncio.to_thread(run, tmp_path, "plan", **json.loads((tmp_path / "env.json").read_text()))
    assert (done.returncode, f"No controller can be reached at unix://{path}" in done.stderr) == (3, True)


async def test_a_socket_that_a_killed_controller_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with an_api(settings_of(tmp_path, api_socket=str(path))):
        assert "api " in await asked_by_command(tmp_path)


async def test_a_socket_that_another_process_listens_on_is_left_to_it(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(path))
        other.listen()
        with pytest.raises(SettingsInvalid, match="another process does"):
            async with an_api(settings_of(tmp_path, api_socket=str(path))):
                pass
        assert path.is_socket()


async def test_a_socket_in_no_folder_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match=r"cannot listen on .*/none/api.sock: No such file"):
        async with an_api(settings_of(tmp_path, api_socket=str(tmp_path / "none" / "api.sock"))):
            pass


# ---------------------------------------------------------------- tokens


async def test_this_machines_own_token_goes_to_our_controller_and_no_other(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, api_tokens="on")
    async with an_api(settings):
        assert (await asked_by_command(tmp_path)).endswith(", token local")
        ci = TokenFile(settings.state_dir).add("ci", Scope.READ)
        assert (await asked_by_command(tmp_path, MCM_TOKEN=ci)).endswith(", token ci")
        assert (await asked_by_command(tmp_path, "--server", settings.api_url, MCM_TOKEN=ci)).endswith(", token ci")
        env = json.loads((tmp_path / "env.json").read_text())
        done = await asyncio.to_thread(run, tmp_path, "plan", "--server", settings.api_url, **env)
        assert (done.returncode, "MCM_TOKEN" in done.stderr) == (1, True)


# ---------------------------------------------------------------- TLS


async def test_calls_go_by_tls_and_the_command_knows_the_certificate(tmp_path: Path) -> None:
    certificate, key = a_certificate(tmp_path, "lab.example.org")
    settings = settings_of(tmp_path, api_tls_cert=str(certificate), api_tls_key=str(key), api_tokens="on")
    async with an_api(settings):
        assert settings.api_url.startswith("https://127.0.0.1:")
        assert (await asked_by_command(tmp_path)).endswith(", token local")
        env = json.loads((tmp_path / "env.json").read_text())
        done = await asyncio.to_thread(run, tmp_path, "plan", "--server", settings.api_url, **env)
        assert (done.returncode, "CERTIFICATE_VERIFY_FAILED" in done.stderr) == (3, True), done.stderr
        assert await asyncio.to_thread(_version, settings, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
        with pytest.raises(ssl.SSLError):
            await asyncio.to_thread(_version, settings, ssl.TLSVersion.TLSv1_1)


def _version(settings: Settings, most: ssl.TLSVersion) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):  # of how old they are
        context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, most
    with socket.create_connection(("127.0.0.1", settings.api_port), 10) as plain, context.wrap_socket(plain) as wrapped:
        return str(wrapped.version())


def _shown(settings: Settings) -> str:
    return ssl.get_server_certificate(("127.0.0.1", settings.api_port))


async def test_a_new_certificate_is_shown_without_a_restart_and_a_bad_one_never(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listener, "CERTIFICATE_SECONDS", 0.05)
    (first, first_key), (second, second_key) = (a_certificate(tmp_path, name) for name in ("one", "two"))
    certificate, key = tmp_path / "in-use.crt", tmp_path / "in-use.key"
    certificate.write_bytes(first.read_bytes())
    key.write_bytes(first_key.read_bytes())
    settings = settings_of(tmp_path, api_tls_cert=str(certificate), api_tls_key=str(key))
    async with an_api(settings) as followed, asyncio.TaskGroup() as tasks:
        assert followed is not None
        following = tasks.create_task(followed.follow())
        assert await asyncio.to_thread(_shown, settings) == first.read_text()
        _replace(certificate, second)
        await eventually(lambda: any("does not belong" in str(vars(each).get("pairs")) for each in caplog.records))
        assert await asyncio.to_thread(_shown, settings) == first.read_text()
        _replace(key, second_key)
        await eventually(lambda: _shows(settings, second))
        following.cancel()


async def _shows(settings: Settings, certificate: Path) -> bool:
    return await asyncio.to_thread(lambda: _shown(settings) == certificate.read_text())


def _replace(file: Path, other: Path) -> None:
    unfinished = file.with_suffix(".new")
    unfinished.write_bytes(other.read_bytes())
    os.replace(unfinished, file)


def test_what_is_no_pair_is_a_sentence(tmp_path: Path) -> None:
    certificate, key = a_certificate(tmp_path, "one")
    _, other_key = a_certificate(tmp_path, "two")
    locked, locked_key = a_certificate(tmp_path, "three", "-passout", "pass:secret")
    rubbish = tmp_path / "rubbish"
    rubbish.write_text("no PEM")
    for pair, sentence in {
        (tmp_path / "none", key): "certificate .*/none cannot be read: No such file",
        (certificate, tmp_path / "none"): "key .*/none cannot be read: No such file",
        (certificate, other_key): "key .*two.key does not belong to the certificate .*one.crt",
        (rubbish, key): "cannot be used: .*PEM",
        (locked, locked_key): "has a password",
    }.items():
        with pytest.raises(SettingsInvalid, match=sentence):
            Certificate(*pair)


async def test_plain_http_to_the_tls_port_ends_that_connection_alone(tmp_path: Path) -> None:
    certificate, key = a_certificate(tmp_path, "lab")
    settings = settings_of(tmp_path, api_tls_cert=str(certificate), api_tls_key=str(key))
    async with an_api(settings):
        plain = http.client.HTTPConnection("127.0.0.1", settings.api_port, timeout=10)
        with pytest.raises((http.client.HTTPException, OSError)):
            await asyncio.to_thread(_ask, plain)
        assert "api " in await asked_by_command(tmp_path)


async def test_a_handshake_that_does_not_come_costs_its_sender_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "HEAD_SECONDS", 0.3)
    certificate, key = a_certificate(tmp_path, "lab")
    settings = settings_of(tmp_path, api_tls_cert=str(certificate), api_tls_key=str(key))
    async with an_api(settings):
        reader, slow = await asyncio.open_connection("127.0.0.1", settings.api_port)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        slow.close()


def _ask(connection: http.client.HTTPConnection) -> None:
    connection.request("GET", "/")
    connection.getresponse()
