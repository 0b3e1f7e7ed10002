"""What may come of a call in place of its answer: a sentence for people, with what programs go by beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.errors import MatlabManagerError


class CallFailed(MatlabManagerError):
    """Base of them all, and never raised itself."""


class Unreachable(CallFailed):
    """Nothing answers, or the answer was lost: what became of the call is not known."""

    code = "unreachable"


class NotThisController(Unreachable):
    """Something answers, and it is not this controller, or one of another version."""

    code = "not_this_controller"


class Refused(CallFailed):
    """The controller answered, and said no."""

    def __init__(self, status: int, body: Mapping[str, Any], retry_after: float = 0.0) -> None:
        super().__init__(str(body["error"]))
        self.status = status
        self.code = str(body.get("code", ""))
        self.details = self.hint = str(body.get("details", ""))
        """What to do about it, or empty."""
        self.request_id = str(body.get("request_id", ""))
        """Under which the controller's log has this call."""
        self.retry_after = retry_after
        """Seconds after which the controller said that it may be called again; 0 where it did not."""
        self.body = body
        """All that it said."""


class NotReady(CallFailed):
    """A session cannot be used yet, though it was waited for."""

    code = "not_ready"

    def __init__(self, user_id: int, seconds: float, why: str) -> None:
        super().__init__(f"User {user_id}'s session is not ready after {seconds:g} s: {why}")
        self.user_id = user_id
        self.why = why
        """Where it stands, and what happens next and when."""
