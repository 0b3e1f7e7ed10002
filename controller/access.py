"""How people and programs get to a session: its addresses, and the token that opens it where it asks for one.

Pure. A container carries a salt and the digest of its token; with the one secret that the controller keeps, the salt
makes the token. Where that secret is kept is left to `secretfile.py`; what a session does with the digest, to
matlab/session_service/guard.py.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Addresses:
    page: str
    websocket: str


@dataclass(frozen=True, slots=True)
class Access:
    host: str
    """By which browsers reach the published ports; ready for an address, an IPv6 one in brackets."""
    session_url: str = ""
    """The operator's own address of a page, with `{user_id}` or `{http_port}` in it; the WebSocket is beside it."""
    locked: bool = False
    """Sessions that are made now ask for a token."""
    secret: bytes = field(default=b"", repr=False)

    def check(self, salt: str) -> str:
        """What a new container knows its token by; empty where it is to ask for none. `salt`: hexadecimal, random."""
        return f"{salt}:{_digest(self._token(salt))}" if self.locked else ""

    def addresses(self, user_id: int, http_port: int, ws_port: int, check: str, node: str = "") -> Addresses | None:
        """Those that open a session which knows its token by `check`; `None` if that token is not to be known any more:
        it was made with another secret. `node`: IP address of the machine that it is on, where that is not the one."""
        query = ""
        if check:
            salt, _, digest = check.partition(":")
            token = self._token(salt)
            if _digest(token) != digest:  # neither is a secret, and a label that somebody forged may say anything
                return None
            query = f"?token={token}"
        if not self.session_url:
            host = (f"[{node}]" if ":" in node else node) or self.host
            return Addresses(f"http://{host}:{http_port}/{query}", f"ws://{host}:{ws_port}/{query}")
        page = self.page(user_id, http_port)
        return Addresses(page + query, f"{page.replace('http', 'ws', 1)}ws{query}")

    def page(self, user_id: int, http_port: int) -> str:
        """The operator's own address of this user's page; empty if there is none."""
        return self.session_url.replace("{user_id}", str(user_id)).replace("{http_port}", str(http_port))

    def environment(self, user_id: int, http_port: int) -> dict[str, str]:
        """What a session has to know of the operator's own address in order to answer under it."""
        if not self.session_url:
            return {}
        page = urlsplit(self.page(user_id, http_port))
        return {"MCM_ALLOWED_HOSTS": page.hostname or "", "MCM_ALLOWED_ORIGINS": f"{page.scheme}://{page.netloc}"}

    def _token(self, salt: str) -> str:
        made = hmac.digest(self.secret, salt.encode(), "sha256")
        return base64.urlsafe_b64encode(made).decode().rstrip("=")


ON_THIS_MACHINE = Access("127.0.0.1")


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
