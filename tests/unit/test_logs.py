"""A log line is one event, whatever is in it. Seen from outside: what a process really writes."""

import json
import os
import pty
import re
import subprocess
import sys

import pytest

EVENTS = """
import logging, sys
from controller.logs import configure
configure("info", sys.argv[1])
log = logging.getLogger("controller.some.module")
"""


def written(form: str, *statements: str) -> str:
    """What these statements write to standard error."""
    program = EVENTS + "\n".join(statements)
    done = subprocess.run([sys.executable, "-c", program, form], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return done.stderr


def info(words: str, **pairs: object) -> str:
    return f"log.info({words!r}, extra={{'pairs': {pairs!r}}})"


def test_a_line_has_the_time_in_utc_then_the_level_the_words_and_the_pairs() -> None:
    line = written("text", info("container started", user=7, action="start", reason="exited with code 137", none=None))
    time, rest = line.split(" ", 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", time)
    assert rest == 'INFO  container started user=7 action=start reason="exited with code 137"\n'


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("plain-1.2:3@4/五", "plain-1.2:3@4/五"),
        ("", '""'),
        ("a b", '"a b"'),
        ("x user=8", '"x user=8"'),
        ("k=v", '"k=v"'),
        ('say "hi"', r'"say \"hi\""'),
        ("back\\slash", r'"back\\slash"'),
        ("x\n2026-11-22T10:00:00.000Z INFO  forged", r'"x\n2026-11-22T10:00:00.000Z INFO  forged"'),
        ("a\r\tb", r'"a\r\tb"'),
        ("\x1b[2J\x07\x00\x7f\x85", r'"\x1b[2J\x07\x00\x7f\x85"'),
        ("\u2028\u2029\u202e\ud800", r'"\u2028\u2029\u202e\ud800"'),
    ],
)
def test_no_value_can_forge_a_pair_or_a_line(value: str, shown: str) -> None:
    line = written("text", info("words", it=value, after=1))
    assert line.partition(" ")[2] == f"INFO  words it={shown} after=1\n"
    event = json.loads(written("json", info("words", it=value)))
    assert event["it"] == value.replace("\ud800", r"\ud800")


def test_a_message_with_a_line_break_stays_one_line() -> None:
    assert written("text", "log.warning('two\\nlines of %s', 'x')").endswith("WARN  two\\nlines of x\n")


def test_an_event_in_json_is_one_object_on_one_line_that_no_pair_can_change() -> None:
    text = written("json", info("words", user=7, ratio=0.5, on=True, level="forged", reason="two\nlines"))
    assert text.count("\n") == 1
    event = json.loads(text)
    del event["time"]
    expected = {"level": "info", "message": "words", "user": 7, "ratio": 0.5, "on": True, "reason": "two\nlines"}
    assert event == expected


RAISE = """
try:
    raise ValueError("two\\n2026-11-22T10:00:00.000Z INFO  forged\\r")
except ValueError:
    log.exception("it broke", extra={"pairs": {"user": 7}})
"""


def test_a_traceback_follows_indented_so_that_no_line_of_it_passes_for_an_event() -> None:
    first, *rest = written("text", RAISE).splitlines()
    assert first.endswith("ERROR it broke user=7")
    assert rest[0] == "    Traceback (most recent call last):"
    assert all(line.startswith("    ") for line in rest)
    assert rest[-1].endswith(r"forged\r")


def test_a_traceback_in_json_is_part_of_its_event() -> None:
    event = json.loads(written("json", RAISE))
    assert event["message"] == "it broke"
    assert event["exception"].startswith("Traceback")


def test_what_is_below_the_level_is_not_written() -> None:
    assert written("text", "log.debug('fine')") == ""


def test_other_packages_are_heard_from_warnings_on_and_named_and_the_access_log_is_not() -> None:
    text = written(
        "text",
        "logging.getLogger('urllib3').info('chatter')",
        "logging.getLogger('urllib3').warning('trouble')",
        "logging.getLogger('aiohttp.access').error('GET /')",
    )
    assert text.endswith("WARN  trouble logger=urllib3\n")
    assert text.count("\n") == 1


def test_an_answer_that_an_engine_cut_short_makes_no_traceback() -> None:
    """Found by `make faults`: the client library logs one beside the error that it raises."""
    assert written("text", "logging.getLogger('urllib3.connection').warning('Failed', exc_info=OSError())") == ""


@pytest.mark.parametrize(("no_color", "coloured"), [(None, True), ("1", False)])
def test_colours_are_for_terminals_that_want_them(no_color: str | None, coloured: bool) -> None:
    ours, theirs = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    env |= {"NO_COLOR": no_color} if no_color else {}
    program = EVENTS + "log.error('bad')"
    subprocess.run([sys.executable, "-c", program, "text"], stderr=theirs, env=env, check=True)
    os.close(theirs)
    shown = os.read(ours, 1000)
    os.close(ours)
    assert (b"\x1b[31mERROR\x1b[0m bad" in shown) is coloured
    assert (b"\x1b" in shown) is coloured
    assert "\x1b" not in written("text", "log.error('bad')")
