"""The protocol's page and schema against the code that they describe."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from matlab.session_service import protocol, rpc

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [(DOCS / name).read_text() for name in ("session-protocol.md", "session-protocol.zh-CN.md")]

pages = pytest.mark.parametrize("page", PAGES, ids=["English", "Chinese"])


def test_the_schema_is_what_the_code_says() -> None:
    """If not: `python -m matlab.session_service.protocol > docs/session-protocol.schema.json`."""
    document = protocol.document()
    Draft202012Validator.check_schema(document)
    assert json.loads((DOCS / "session-protocol.schema.json").read_text()) == document


@pages
def test_the_page_describes_every_method_notification_and_error(page: str) -> None:
    for name, method in protocol.METHODS.items():
        params = [n if n in method.params["required"] else f"{n}?" for n in method.params["properties"]]
        assert f"`{name} {{{', '.join(params)}}}`" in page
    for name in protocol.NOTIFICATIONS:
        assert f"\n| `{name}` |" in page
    codes = {value for value in vars(rpc).values() if isinstance(value, int) and value < 0}
    assert {int(code) for code in re.findall(r"\n\| (-32\d+) \|", page)} == codes


@pages
def test_the_pages_example_of_status_fits_the_schema(page: str) -> None:
    (example,) = re.findall(r"```json\n(.*?)```", page, re.S)
    Draft202012Validator(protocol.STATUS).validate(json.loads(example))


def test_the_pages_name_the_same_things_and_numbers() -> None:
    english, chinese = (sorted(set(re.findall(r"`[^`\n]+`|[0-9]+", page))) for page in PAGES)
    assert english == chinese


def test_messages_fit_the_schema_as_a_whole_and_others_do_not() -> None:
    whole = Draft202012Validator(protocol.document())
    assert whole.is_valid({"jsonrpc": "2.0", "id": 1, "method": "eval", "params": {"code": "1"}})
    assert whole.is_valid(json.loads(rpc.error(rpc.Fault(-32003, "No.", 1, "exists"))))
    assert whole.is_valid(json.loads(rpc.notification("missed", {"characters": 3})))
    assert not whole.is_valid({"jsonrpc": "2.0", "id": 1, "method": "eval", "params": {"cod": "1"}})
    assert not whole.is_valid({"jsonrpc": "2.0", "method": "no_such"})
