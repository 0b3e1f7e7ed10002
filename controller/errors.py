"""The error family. Each says what happened, to whom, and what to do; `code` is for programs.

`MatlabManagerError` itself is never raised. The API turns any of them into JSON in one place, the CLI into one line.
"""

from __future__ import annotations

from dataclasses import dataclass


class MatlabManagerError(Exception):
    """Base of every error that is meant for a person."""

    code = "error"
    hint = ""
    """What to do about it: one sentence, or empty."""
    permanent = False
    """Trying again without a change elsewhere is pointless, though it is still tried, rarely."""
    retry_ceiling = 300.0
    """Seconds: the longest wait between two attempts."""


# ---------------------------------------------------------------- the wish


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault in the text of a desired state. Line and column count from 1; 0 means the file as a whole."""

    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}" if self.line else self.message


class WishInvalid(MatlabManagerError):
    """The desired state cannot be taken as it is; the last good one stays in force."""

    code = "wish_invalid"
    hint = "Mend the file; until then the last good state stays in force and every session goes on."

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("; ".join(str(p) for p in problems))
        self.problems = problems


class NotPersisted(MatlabManagerError):
    """The wish could not be written durably, so it was not acknowledged."""

    code = "not_persisted"
    hint = "Check that the folder of the desired state is writable and its disk not full, then repeat the call."


class NotPushed(NotPersisted):
    """The change did not get to the branch of git on which the desired state lies."""

    hint = "See that the branch's host can be reached and takes our commits (`matlabctl status`), then repeat the call."


class InDoubt(NotPersisted):
    """The disk failed at the very end of a write, and at the next that was to undo it: a start may find it done."""

    code = "in_doubt"
    hint = "Mend the disk and repeat the call: what was asked for then holds, whatever had become of this one."


class Overtaken(NotPersisted):
    """Somebody else wrote each time before it could be written."""

    hint = "Repeat the call later; `matlabctl history` and `git log` tell who writes so often."


class WishReadOnly(MatlabManagerError):
    """The desired state is changed elsewhere, not here."""

    code = "read_only"


class PolicyBroken(MatlabManagerError):
    """A change asks for more than the operator allows."""

    code = "policy"
    hint = "Stop or destroy a session, or have the operator raise `policy`; GET /v1/status tells what is allowed."


class NeedsApproval(MatlabManagerError):
    """The brake holds a change that would end many sessions at once."""

    code = "needs_approval"
    hint = "Look at it with `matlabctl status`, then `matlabctl approve` or `matlabctl reject`."


class NotPending(MatlabManagerError):
    """What somebody approved or rejected is not what waits now."""

    code = "not_pending"
    hint = "Look at what waits now: `pending` of GET /v1/status, or `matlabctl status`."


class NoSuchGeneration(MatlabManagerError):
    """The history does not have it."""

    code = "not_found"
    hint = "GET /v1/history or `matlabctl history` lists those that are kept."


class SessionConflict(MatlabManagerError):
    """A call named a session that is not the current one."""

    code = "session_conflict"
    hint = "Leave session_id out to act on whatever session is current."


class SettingsInvalid(MatlabManagerError):
    """The operator's settings cannot be used."""

    code = "settings_invalid"


class AlreadyRunning(MatlabManagerError):
    """Another controller holds the lock of this state folder."""

    code = "already_running"
    hint = "Stop the other controller, or give this one its own MCM_STATE_DIR, MCM_INSTANCE, ports and folders."


# ---------------------------------------------------------------- the engine


class EngineError(MatlabManagerError):
    """An engine call did not do what was asked."""

    code = "engine_error"


class EngineUnavailable(EngineError):
    """No answer, or half of one: the state of things is unknown, so nothing may be concluded from it."""

    code = "engine_unavailable"
    retry_ceiling = 30.0
    hint = "Check that the Docker engine runs (`docker info`) and that this user may reach its socket."


class EngineRefused(EngineError):
    """The engine understood and said no."""

    code = "engine_refused"


class NoRoom(EngineRefused):
    """No other node would take a session that is to move, so it was left where it is."""

    code = "no_room"
    hint = "The session goes on where it is. Add a node, or take one back (`matlabctl node activate`)."
    retry_ceiling = 30.0


class NoSuchNode(EngineError):
    """The node went away, or there is no swarm."""

    code = "not_found"


class LeftBehind(EngineRefused):
    """The engine has kept something of a container's last run, and cannot start it for that."""

    code = "left_behind"
    hint = "After some tries the container is made anew. Where that does not help either, restart the Docker engine."


class CrashLoop(EngineError):
    """A session dies again and again soon after its start."""

    code = "crash_loop"
    hint = "Its last words are in its log; a user's own startup.m or the memory limit are frequent causes."


class NoSuchContainer(EngineError):
    """The container went away between the look and the act."""

    code = "no_such_container"


class PortTaken(EngineError):
    """Something else listens on a port that this session needs."""

    code = "port_taken"
    hint = "End what listens there, or leave it: the session comes up by itself once the port is free."
    retry_ceiling = 5.0

    def __init__(self, port: int, holder: str = "") -> None:
        super().__init__(f"Port {port} is already in use on this host{f' by {holder}' if holder else ''}.")
        self.port = port


class ImageMissing(EngineError):
    """The engine does not have the session image."""

    code = "image_missing"
    hint = "Build or load the image (`make image` builds the Octave one), or name another in the profile."
    permanent = True


class NameConflict(EngineError):
    """A container that is not ours has the name that this session needs."""

    code = "name_conflict"
    hint = "Rename or remove that container by hand; the controller never touches what it did not make."
    retry_ceiling = 10.0


class DataFolderUnusable(EngineError):
    """The user's data folder cannot be made or is not what it should be."""

    code = "data_folder_unusable"
    hint = "Mend the folder by hand; the controller never changes one that exists."


class DataFolderGone(DataFolderUnusable):
    """A container was made for the user's data folder, which is not there any more."""

    hint = "Put it back, or mount its disk. To begin with an empty one, destroy the session and create it again."
    retry_ceiling = 30.0
