"""Remotes as they are elsewhere: git behind TLS with a private authority, and behind a real sshd; on this machine.

Each is reached through a wire that a test can cut.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import getpass
import os
import shutil
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
NAME, TOKEN, WRONG = "lab", "t0ken/with:signs", "wr0ng-and-as-long-as-that"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Remote:
    """One repository by one way."""

    url: str
    environment: dict[str, str]
    """What the controller's process is given, as the guide says."""
    wire: Wire
    stranger: tuple[str, dict[str, str], str]
    """The address and the environment of one who may not come in, and what they are told."""
    doubt: tuple[dict[str, str], str]
    """The environment of one who has no reason to trust this host, and what they are told."""


class Wire:
    """Passes on what a client and a server say to each other."""

    def __init__(self, connect: Callable[[], Awaitable[Streams]]) -> None:
        self._connect = connect
        self._open: set[asyncio.StreamWriter] = set()
        self.cut_after: int | None = None
        """So many bytes of each answer come through."""
        self.silent = False
        """Nothing more comes through, and nobody is told."""
        self.port = 0

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            self.cut()

    def cut(self) -> None:
        """Every connection that there is."""
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await self._connect()
        ends = {writer, there_writer}
        self._open |= ends
        try:
            await asyncio.gather(
                self._pass(reader, there_writer, None), self._pass(there_reader, writer, self.cut_after)
            )
        except OSError:
            pass
        finally:
            self._open -= ends
            for end in ends:
                end.transport.abort()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, most: int | None) -> None:
        passed = 0
        while data := await source.read(65536):
            if self.silent:
                continue
            passed += len(data)
            if most is not None and passed > most:
                raise ConnectionResetError
            sink.write(data)
            await sink.drain()
        with contextlib.suppress(OSError):
            sink.write_eof() if sink.can_write_eof() else sink.close()


# ---------------------------------------------------------------- https


@contextlib.asynccontextmanager
async def by_https(repository: Path, folder: Path) -> AsyncIterator[Remote]:
    authority, certificate, key = (folder / name for name in ("authority.pem", "host.pem", "host.key"))
    _certify(folder, authority, certificate, key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    application = web.Application(client_max_size=2**24)
    application.router.add_route("*", "/{path:.*}", _Backend(repository.parent).answer)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.SockSite(runner, _listener(), ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    wire = Wire(lambda: asyncio.open_connection("127.0.0.1", port))
    try:
        async with wire.listening():
            place = f"127.0.0.1:{wire.port}/{repository.name}"
            trusts = {"GIT_SSL_CAINFO": str(authority)}
            token = TOKEN.replace("/", "%2F").replace(":", "%3A")
            yield Remote(
                f"https://{NAME}:{token}@{place}",
                trusts,
                wire,
                (f"https://{NAME}:{WRONG}@{place}", trusts, f"Authentication failed for 'https://{place}/'"),
                ({}, "certificate"),
            )
    finally:
        await runner.cleanup()


def _listener() -> socket.socket:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    return listener


def _certify(folder: Path, authority: Path, certificate: Path, key: Path) -> None:
    new = (
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
        "-days",
        "2",
    )
    own = folder / "authority.key"
    _run(*new, "-subj", "/CN=the lab's authority", "-keyout", str(own), "-out", str(authority))
    signed = ("-CA", str(authority), "-CAkey", str(own), "-addext", "subjectAltName=IP:127.0.0.1")
    plain = ("-addext", "basicConstraints=critical,CA:FALSE")
    _run(*new, "-subj", "/CN=forge", *signed, *plain, "-keyout", str(key), "-out", str(certificate))


@dataclass
class _Backend:
    """`git http-backend`, for those who know the token."""

    root: Path
    right: str = field(default=f"Basic {base64.b64encode(f'{NAME}:{TOKEN}'.encode()).decode()}")

    async def answer(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != self.right:
            return web.Response(status=401, headers={"WWW-Authenticate": 'Basic realm="the lab"'})
        body = await request.read()
        process = await asyncio.create_subprocess_exec(
            *("git", "-c", "http.receivepack=true", "http-backend"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(self.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
                "REQUEST_METHOD": request.method,
                "PATH_INFO": request.path,
                "QUERY_STRING": request.query_string,
                "CONTENT_TYPE": request.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "REMOTE_USER": NAME,
            },
        )
        said, _ = await process.communicate(body)
        head, _, content = said.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        status = int(headers.pop("Status", "200").split()[0])
        return web.Response(status=status, headers=headers, body=content)


# ---------------------------------------------------------------- ssh


@contextlib.asynccontextmanager
async def by_ssh(repository: Path, folder: Path) -> AsyncIterator[Remote]:
    settings = _ssh_host(folder)
    servers: list[asyncio.subprocess.Process] = []

    async def connect() -> Streams:
        """A server for each connection, as inetd has them: no port to be found and nothing to wait for."""
        ours, its = socket.socketpair()
        with its, (folder / "sshd.log").open("ab") as log:
            command = (SSHD or "", "-i", "-e", "-f", str(settings))
            servers.append(
                await asyncio.create_subprocess_exec(*command, stdin=its.fileno(), stdout=its.fileno(), stderr=log)
            )
        return await asyncio.open_connection(sock=ours)

    wire = Wire(connect)
    try:
        async with wire.listening():
            place = f"[127.0.0.1]:{wire.port}"
            (folder / "known_hosts").write_text(f"{place} {(folder / 'host.pub').read_text()}")
            (folder / "knows_nobody").touch()
            url = f"ssh://{getpass.getuser()}@127.0.0.1:{wire.port}{repository}"
            yield Remote(
                url,
                _as_client(folder, "right", "ours", "known_hosts"),
                wire,
                (url, _as_client(folder, "wrong", "stranger", "known_hosts"), "Permission denied (publickey)"),
                (_as_client(folder, "new", "ours", "knows_nobody"), "Host key verification failed"),
            )
    finally:
        for server in servers:
            await server.wait()


def _ssh_host(folder: Path) -> Path:
    """The settings of a host that lets one key in. Skips the test where no sshd can be run."""
    if SSHD is None or shutil.which("ssh") is None:
        pytest.skip("no sshd here: install openssh-server, nothing has to run")
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)  # as its service makes it
    for name in ("host", "ours", "stranger"):
        _run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name))
    shutil.copy(folder / "ours.pub", folder / "let_in")
    settings = folder / "sshd_config"
    settings.write_text(
        f"HostKey {folder}/host\nAuthorizedKeysFile {folder}/let_in\nStrictModes no\nUsePAM no\nPidFile none\n"
        "AuthenticationMethods publickey\nPermitRootLogin yes\n"
    )
    check = subprocess.run([SSHD, "-t", "-f", settings], capture_output=True, text=True, check=False, timeout=60)
    if check.returncode:
        pytest.skip(f"sshd does not run here: {check.stderr.strip()}")
    return settings


def _as_client(folder: Path, kind: str, key: str, known: str) -> dict[str, str]:
    """An `ssh` that reads this instead of the `~/.ssh/config` of whoever runs the tests."""
    settings, ssh = folder / f"{kind}.config", folder / kind / "ssh"
    settings.write_text(
        f"Host 127.0.0.1\n  IdentityFile {folder}/{key}\n  IdentitiesOnly yes\n  IdentityAgent none\n"
        f"  UserKnownHostsFile {folder}/{known}\n  GlobalKnownHostsFile none\n"
    )
    ssh.parent.mkdir()
    ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {settings} "$@"\n')
    ssh.chmod(0o755)
    return {"PATH": f"{ssh.parent}:{os.environ['PATH']}"}


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr


WAYS = {"https": by_https, "ssh": by_ssh}
