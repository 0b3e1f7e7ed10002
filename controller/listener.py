"""Where the API listens: a port, with or without TLS, or a Unix socket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from controller.connections import HEAD_SECONDS, Runner
from controller.errors import SettingsInvalid
from controller.settings import Settings

log = logging.getLogger(__name__)

SHUTDOWN_SECONDS = 1.0
"""What an answer under way may take to finish when the controller stops."""
CERTIFICATE_SECONDS = 5.0
"""Time between two looks at the certificate's files."""


@contextlib.asynccontextmanager
async def listening(app: web.Application, settings: Settings) -> AsyncIterator[Certificate | None]:
    """Lets callers in meanwhile; the certificate wants to be followed.

    Raises:
        SettingsInvalid: the API cannot listen there, or not with this certificate.
    """
    certificate = _certificate(settings)
    if settings.api_socket is not None and await asyncio.to_thread(_answers, settings.api_socket):
        raise SettingsInvalid(f"The API cannot listen on {settings.api_socket}: another process does. Name another.")
    runner = Runner(app, SHUTDOWN_SECONDS, settings.api_connections, settings.api_connections_each)
    await runner.setup()
    try:
        try:
            await _site(runner, settings, certificate).start()
        except OSError as error:
            raise SettingsInvalid(_where_not(settings, error)) from error
        if settings.api_socket is not None:
            settings.api_socket.chmod(0o660)
        yield certificate
    finally:
        await runner.cleanup()
        if settings.api_socket is not None:
            settings.api_socket.unlink(missing_ok=True)


def _site(runner: Runner, settings: Settings, certificate: Certificate | None) -> web.BaseSite:
    if settings.api_socket is not None:
        return web.UnixSite(runner, settings.api_socket)
    if certificate is not None:
        return _TlsSite(runner, settings.api_host, settings.api_port, ssl_context=certificate.context)
    return web.TCPSite(runner, settings.api_host, settings.api_port)


class _TlsSite(web.TCPSite):
    """aiohttp's, which leaves a handshake asyncio's minute to come, while nothing counts its connection."""

    async def start(self) -> None:
        await web.BaseSite.start(self)
        server = self._runner.server
        if server is None:
            raise RuntimeError("a runner is set up before its sites")
        self._server = await asyncio.get_running_loop().create_server(
            server, self._host, self._port, ssl=self._ssl_context, ssl_handshake_timeout=HEAD_SECONDS
        )


def _answers(path: Path) -> bool:
    """What a process that is no longer there has left does not."""
    with socket.socket(socket.AF_UNIX) as probe, contextlib.suppress(OSError):
        probe.settimeout(1)
        probe.connect(str(path))
        return True
    return False


def _where_not(settings: Settings, error: OSError) -> str:
    why = os.strerror(error.errno or 0)
    if settings.api_socket is not None:
        return (
            f"The API cannot listen on {settings.api_socket}: {why}. Its folder must be there and be ours to write to."
        )
    return (
        f"The API cannot listen on {settings.api_host}:{settings.api_port}: {why}. "
        "Stop what listens there, or set MCM_API_PORT."
    )


# ---------------------------------------------------------------- the certificate


class Certificate:
    """What TLS shows; `reload` changes it for the connections to come."""

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises SettingsInvalid."""
        self._files = (certificate, key)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._seen = self._state()
        self._load(self.context)

    def reload(self) -> bool:
        """Take the files as they are now, if they changed. A pair that is no good changes nothing.

        Raises:
            SettingsInvalid: they cannot be used; said once for each state that they are in.
        """
        state = self._state()
        if state == self._seen:
            return False
        self._seen = state
        self._load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))  # failing halfway would leave the one in use keyless
        self._load(self.context)
        return True

    async def follow(self) -> None:
        """Read them again whenever they change, until cancelled."""
        while True:
            await asyncio.sleep(CERTIFICATE_SECONDS)
            try:
                if self.reload():
                    log.info("the API's certificate was read again")
            except SettingsInvalid as error:
                log.error("the API goes on with the certificate from before", extra={"pairs": {"why": str(error)}})
            except Exception:  # a file that goes away between two looks at it, say
                log.exception("the API's certificate could not be looked at")

    def _state(self) -> tuple[tuple[int, int] | None, ...]:
        return tuple(map(_stamp, self._files))

    def _load(self, context: ssl.SSLContext) -> None:
        certificate, key = self._files
        for name, file in (("certificate", certificate), ("key", key)):
            try:
                file.read_bytes()
            except OSError as error:
                raise SettingsInvalid(f"The API's {name} {file} cannot be read: {error.strerror}.") from error
        try:
            context.load_cert_chain(certificate, key, password=_no_password)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise SettingsInvalid(f"The key {key} does not belong to the certificate {certificate}.") from error
            raise SettingsInvalid(
                f"The API's certificate {certificate} and key {key} cannot be used: {error.reason or error}. "
                "Both must be PEM, and the key without a password."
            ) from error
        except ValueError as error:
            raise SettingsInvalid(f"The API's key {key} has a password: {error}.") from error


def _no_password() -> str:
    raise ValueError("it must have none, since nobody is there to type it")


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        stat = file.stat()
    except OSError:
        return None
    return stat.st_ino, stat.st_mtime_ns


def _certificate(settings: Settings) -> Certificate | None:
    if settings.api_tls_cert is None or settings.api_tls_key is None:
        return None
    return Certificate(settings.api_tls_cert, settings.api_tls_key)
