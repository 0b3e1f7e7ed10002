"""What each method of the protocol does: a call that was checked is carried out by the session, or by the user's
folder, and answered, at once or when the interpreter gets to it.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import protocol, rpc
from .files import FileFault, Files
from .plotly import read_figure
from .session import NothingAsks, Question, Session, TooManyWaiting
from .values import flat, read_value, value_params

log = logging.getLogger(__name__)

Json = dict[str, Any]
Answer = Callable[[Json], None]
Refuse = Callable[[rpc.Fault], None]

EXPORTS = Path("/tmp")  # noqa: S108 - the container's own, and files in it get names of their own
MOST_MATCHES = 200
MOST_NUMBERS = 200_000
"""In one figure; one with more is shown as a picture."""

WORD = re.compile(r"(?<![\w.])[A-Za-z_][A-Za-z0-9_.]*\Z")
"""What is to be completed: a name, or a path of fields. It goes into the interpreter's code as it is."""


class Methods:
    def __init__(self, session: Session, files: Files, status: Callable[[], Json]) -> None:
        self._session = session
        self._files = files
        self._status = status

    async def carry_out(self, call: rpc.Call, answer: Answer, refuse: Refuse) -> None:
        """`answer` or `refuse` is called once, maybe later.

        Raises:
            rpc.Fault: it is refused at once.
        """
        if call.method not in protocol.METHODS:
            raise rpc.Fault(rpc.NO_SUCH_METHOD, f"There is no method {call.method[:100]!r}.", call.id)
        if wrong := protocol.wrong_params(call.method, call.params):
            raise rpc.Fault(rpc.WRONG_PARAMS, wrong, call.id)
        try:
            if call.method.startswith("files."):
                answer(await asyncio.to_thread(self._files_call, call.method, call.params))
            else:
                self._session_call(call, answer, refuse)
        except TooManyWaiting as error:
            message = "Too many commands wait already; send this one again later."
            raise rpc.Fault(rpc.TOO_MANY_WAITING, message, call.id) from error
        except NothingAsks as error:
            raise rpc.Fault(rpc.NOTHING_ASKS, "No command waits for input.", call.id) from error
        except FileFault as error:
            raise rpc.Fault(rpc.FILE_FAULT, str(error), call.id, error.reason) from error

    def _session_call(self, call: rpc.Call, answer: Answer, refuse: Refuse) -> None:
        session, params = self._session, call.params
        match call.method:
            case "eval":
                session.evaluate(params["code"], answer, silent=params.get("silent", False))
            case "interrupt":
                answer({"interrupted": session.interrupt()})
            case "restart":
                session.restart(lambda _: answer(self._status()))
            case "input":
                if "\n" in params["text"]:
                    raise rpc.Fault(rpc.WRONG_PARAMS, "`text` of `input` is one line, without a line break.", call.id)
                session.input(params["text"])
                answer({})
            case "status":
                answer(self._status())
            case "figures":
                answer({"figures": session.figures()})
            case _:
                self._question(call, answer, refuse)

    def _question(self, call: rpc.Call, answer: Answer, refuse: Refuse) -> None:
        params = call.params

        def ask(question: str, params: Json, read: Callable[[Any], Json]) -> None:
            def failed(message: str) -> None:
                refuse(rpc.Fault(rpc.NOT_ANSWERED, message, call.id))

            def done(raw: Any) -> None:
                try:
                    result = read(raw)
                except Exception as error:  # noqa: BLE001 - the session goes on, whatever the interpreter said
                    refuse(own_fault(call, error))
                else:
                    answer(result)

            self._session.ask(Question(question, params, done, failed))

        match call.method:
            case "whos":
                ask("whos", {}, _variables)
            case "value":
                ask("value", value_params(params), read_value)
            case "complete":
                self._complete(params["code"], params.get("cursor"), answer, ask)
            case "figure.data":
                ask("figure", {**params, "most": MOST_NUMBERS}, lambda raw: self._figure(params, raw))
            case "figure.export":
                wanted = {"width": 0, "height": 0, "folder": str(EXPORTS), **params}
                ask("export", wanted, lambda raw: _exported(params, Path(raw["file"])))
            case other:
                raise AssertionError(f"{other} is documented and does not exist")

    def _complete(self, code: str, cursor: int | None, answer: Answer, ask: Callable[..., None]) -> None:
        before = code[:cursor]
        word = WORD.search(before)
        if (opened := _open_string(before)) is not None:
            start = before.rfind("/", opened + 1) + 1 or opened + 1
            folder = self._session.status()["folder"] or "/"
            answer({"start": start, "matches": _names_in(Path(folder, before[opened + 1 : start]), before[start:])})
        elif word is None:
            answer({"start": len(before), "matches": []})
        else:
            ask("complete", {"word": word[0], "most": MOST_MATCHES}, lambda raw: _matches(word.start(), raw))

    def _figure(self, params: Json, raw: Json) -> Json:
        number = params["number"]
        too_large = raw["numbers"] > MOST_NUMBERS
        drawn = {"data": [], "layout": {}} if too_large else read_figure(raw)
        return {"number": number, "revision": self._session.figure_revision(number), "too_large": too_large, **drawn}

    def _files_call(self, method: str, params: Json) -> Json:
        match method:
            case "files.list":
                return self._files.list(**params)
            case "files.read":
                return self._files.read(**params)
        self._session.touch()
        match method:
            case "files.write":
                return self._files.write(**params)
            case "files.rename":
                self._files.rename(**params)
            case "files.remove":
                self._files.remove(**params)
            case "files.mkdir":
                self._files.mkdir(**params)
            case other:
                raise AssertionError(f"{other} is documented and does not exist")
        return {}


def own_fault(call: rpc.Call, error: Exception) -> rpc.Fault:
    """What nobody thought of: it ends nothing but this call."""
    log.error("a call failed", extra={"method": call.method}, exc_info=error)
    return rpc.Fault(rpc.INTERNAL, "The session's service failed at this; its log tells more.", call.id)


def _variables(raw: Any) -> Json:
    return {"variables": flat(raw)}


def _matches(start: int, raw: Any) -> Json:
    return {"start": start, "matches": flat(raw)}


def _exported(params: Json, file: Path) -> Json:
    data = file.read_bytes()
    file.unlink()
    answer = {"number": params["number"], "format": params["format"]}
    if params["format"] == "svg":
        return {**answer, "encoding": "text", "content": data.decode(errors="replace")}
    return {**answer, "encoding": "base64", "content": base64.b64encode(data).decode()}


def _open_string(before: str) -> int | None:
    """Where the string begins that the cursor is in. A quote after a name or a bracket is a transpose."""
    opened: int | None = None
    for at, character in enumerate(before):
        if character == "\n":
            opened = None
        elif opened is not None:
            opened = None if character == before[opened] else opened
        elif character == '"' or (character == "'" and not (at and _ends_a_value(before[at - 1]))):
            opened = at
    return opened


def _ends_a_value(character: str) -> bool:
    return character.isalnum() or character in "_)]}'."


def _names_in(folder: Path, beginning: str) -> list[str]:
    try:
        with os.scandir(folder) as found:
            names = [f"{e.name}/" if e.is_dir() else e.name for e in found if e.name.startswith(beginning)]
    except OSError:
        return []
    return sorted(name for name in names if name.isprintable() and (beginning or name[0] != "."))[:MOST_MATCHES]
