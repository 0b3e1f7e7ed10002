"""The protocol's page and schema against the code that they describe."""

from __future__ import annotations

import json
import re
from pathlib import Path

from jsonschema import Draft202012Validator

from matlab.session_service import protocol, rpc

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "session-protocol.md").read_text()


def test_the_schema_is_what_the_code_says() -> None:
    """If not: `python -m matlab.session_service.protocol > docs/session-protocol.schema.json`."""
    document = protocol.document()
    Draft202012Validator.check_schema(document)
    assert json.loads((DOCS / "session-protocol.schema.json").read_text()) == document


def test_the_page_describes_every_method_notification_and_error() -> None:
    for name, method in protocol.METHODS.items():
        params = [n if n in method.params["required"] else f"{n}?" for n in method.params["properties"]]
        assert f"`{name} {{{', '.join(params)}}}`" in PAGE
    for name in protocol.NOTIFICATIONS:
        assert f"\n| `{name}` |" in PAGE
    codes = {value for value in vars(rpc).values() if isinstance(value, int) and value < 0}
    assert {int(code) for code in re.findall(r"\n\| (-32\d+) \|", PAGE)} == codes


def test_the_pages_example_of_status_fits_the_schema() -> None:
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.S)
    Draft202012Validator(protocol.STATUS).validate(json.loads(example))


def test_messages_fit_the_schema_as_a_whole_and_others_do_not() -> None:
    whole = Draft202012Validator(protocol.document())
    assert whole.is_valid({"jsonrpc": "2.0", "id": 1, "method": "eval", "params": {"code": "1"}})
    assert whole.is_valid(json.loads(rpc.error(rpc.Fault(-32003, "No.", 1, "exists"))))
    assert whole.is_valid(json.loads(rpc.notification("missed", {"characters": 3})))
    assert not whole.is_valid({"jsonrpc": "2.0", "id": 1, "method": "eval", "params": {"cod": "1"}})
    assert not whole.is_valid({"jsonrpc": "2.0", "method": "no_such"})
