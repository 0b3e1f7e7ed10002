"""What is told of users and of the whole at this moment, put together from what the parts know.

One picture, whoever asks: a call for it (`api.py`) or a page that looks on (`live.py`). The words are those of
`conditions.py` and `status.py`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Protocol

from controller import conditions, status
from controller.caller import Scope
from controller.conditions import WhoAsked
from controller.model import Activity, EngineView, UserView
from controller.plain import plain
from controller.store import Store
from controller.target import Site

Json = dict[str, Any]

ENCODED_SECONDS = 0.25
"""So old a user's document may be that others get who look on: some of it changes with the clock alone."""


class Observer(Protocol):
    """What is asked of the informer."""

    @property
    def engine(self) -> EngineView: ...

    def view(self, user_id: int) -> UserView:
        """The last view; of a user never seen or forgotten, one with no `observed_at`."""
        ...

    def views(self) -> tuple[UserView, ...]:
        """Users that have a container of ours, by ascending id."""
        ...


class Loop(Protocol):
    """What is asked of the reconciler."""

    def activity(self) -> Activity: ...


class Picture:
    def __init__(self, store: Store, observer: Observer, loop: Loop, site: Site, version: str) -> None:
        self._store = store
        self._observer = observer
        self._loop = loop
        self._site = site
        self._version = version
        self._encoded: dict[tuple[int, Scope], tuple[tuple[object, ...], bytes]] = {}
        """What of users was told, and of what it was made."""
        self._encoded_since = 0.0

    def users(self) -> list[int]:
        """Everybody who is declared or has a container, by ascending id."""
        return sorted({view.user_id for view in self._observer.views()} | self._store.current.users.keys())

    def documents(self, user_ids: Iterable[int], scope: Scope) -> Iterator[Json]:
        now = datetime.now(UTC)
        return (self._document(self._observer.view(user_id), scope, now) for user_id in user_ids)

    def document(self, view: UserView, scope: Scope) -> Json:
        return self._document(view, scope, datetime.now(UTC))

    def encoded(self, user_id: int, scope: Scope) -> bytes:
        """The user's document as JSON, made once for all who look on."""
        at = time.monotonic()
        if at - self._encoded_since >= ENCODED_SECONDS:
            self._encoded_since, self._encoded = at, {}
        asked, view = self._asked(user_id), self._observer.view(user_id)
        made_of = (view, self._store.current, asked.entry, asked.for_all)
        found = self._encoded.get((user_id, scope))
        if found is None or any(a is not b for a, b in zip(found[0], made_of, strict=True)):
            found = made_of, json.dumps(self.document(view, scope)).encode()
            self._encoded[user_id, scope] = found
        return found[1]

    def why(self, view: UserView) -> str:
        state = self._store.current
        paused = conditions.paused(state, view.user_id, self._asked(view.user_id))
        return conditions.why(state.users.get(view.user_id), view, datetime.now(UTC), paused)

    def overview(self) -> Json:
        state, now = self._store.current, datetime.now(UTC)
        return {
            "version": self._version,
            "instance": self._site.instance,
            "generation": state.generation,
            "desired_state": status.wish_document(self._store.health, self._store.sync),
            "paused": state.paused,
            "pending": pending_document(self._store),
            "policy": status.policy_document(state, self._site),
            "engine": status.engine_document(self._observer.engine, now),
            "queue": asdict(self._loop.activity()),
            "users": status.tally(len(state.users), self._observer.views()),
        }

    def _document(self, view: UserView, scope: Scope, now: datetime) -> Json:
        asked = self._asked(view.user_id)
        document = status.user_document(self._site, self._store.current, view, now, asked)
        return _for_whom(scope, document)

    def _asked(self, user_id: int) -> WhoAsked:
        return WhoAsked(self._store.asked(user_id), self._store.asked(0))


def pending_document(store: Store) -> Json | None:
    """What waits for approval, as `/v1/status` shows it."""
    return None if store.pending is None else dict(plain(store.pending))


def _for_whom(scope: Scope, document: Json) -> Json:
    """What opens a session is only for those who may change it, too."""
    return document if scope is Scope.WRITE else document | {"access_url": None, "ws_url": None}
