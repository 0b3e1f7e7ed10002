"""Where an API is: what its address and its certificate come to for who wants to connect."""

from __future__ import annotations

import contextlib
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int | None
    """`None`: the usual one."""
    socket: str = ""
    """Path of a Unix socket, which is then what is connected to."""
    trust: ssl.SSLContext | None = None
    """Whose certificates are taken; `None`: no TLS."""

    @property
    def origin(self) -> str:
        """Without the path's slash: `https://[::1]:8080`."""
        name = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self.trust else ''}://{name}{f':{self.port}' if self.port else ''}"


def address_of(server: str, certificate: Path | None = None) -> Address:
    """Of `http://127.0.0.1:8080`, `https://lab.example.org` or `unix:///run/mcm.sock`.

    `certificate`: the controller's own, where it is known, in place of the authorities that this machine trusts.

    Raises:
        ValueError: there can be nothing at `server`.
    """
    url = urlsplit(server)
    match url:
        case SplitResult(scheme="unix", netloc="", path=path) if len(path) > 1:
            return Address("localhost", None, path)
        case SplitResult(scheme="http" | "https", hostname=str(host), path="" | "/"):
            return Address(host, url.port, trust=_trust(certificate) if url.scheme == "https" else None)
        case _:
            raise ValueError(f"an API's address is one such as http://127.0.0.1:8080, not '{server}'")


def _trust(certificate: Path | None) -> ssl.SSLContext:
    """Of authorities, or of this one certificate, whatever name it is for: we know whose it is."""
    trust = ssl.create_default_context()
    if certificate is not None:
        trust = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        trust.check_hostname = False
        trust.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        with contextlib.suppress(OSError):  # then nothing is trusted, and the handshake says so
            trust.load_verify_locations(certificate)
    return trust
