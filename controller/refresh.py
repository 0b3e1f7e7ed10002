"""`POST /v1/refresh`: whoever keeps the branch of the desired state tells of a push; the branch is fetched at once.

The way in for a forge's webhook, so it proves itself by a shared secret, sent in any of the ways that forges have. It
can ask for no more than a look: what is on the branch decides, not what the call says.
"""

from __future__ import annotations

import hashlib
import hmac

from aiohttp import web

from controller.http import Handlers, Refusal, answer, read_body
from controller.store import Texts

MAX_PAYLOAD = 2 * 1024**2
"""Bytes: a push of many commits is told at length."""
PLAIN = ("X-Refresh-Secret", "X-Gitlab-Token")
"""Headers that carry the secret as it is."""
SIGNED = "X-Hub-Signature-256"
"""One with the body's HMAC instead: GitHub, Gitea and Forgejo send that."""


def handlers(store: Texts, secret: str) -> Handlers:
    async def refresh(request: web.Request) -> web.Response:
        body = await read_body(request, MAX_PAYLOAD)
        if not _knows(request, body, secret):
            sentence = f"The secret is missing or wrong; send it as `{PLAIN[0]}`, or sign the body with it."
            raise Refusal(401, "unauthorized", sentence)
        store.refresh()
        return answer({"message": "The branch is fetched now; GET /v1/status tells what came of it."}, 202)

    return {"refresh": refresh}


def _knows(request: web.Request, body: bytes, secret: str) -> bool:
    if not secret:
        return False
    signature = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    proofs = [
        (request.headers.get(SIGNED, ""), signature),
        *((request.headers.get(name, ""), secret) for name in PLAIN),
    ]
    return any(hmac.compare_digest(given.encode("utf-8", "replace"), right.encode()) for given, right in proofs)
