"""`matlabctl token`, and the file that it keeps."""

from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.caller import Scope
from controller.errors import SettingsInvalid
from controller.store.history import FILE
from controller.tokens import TokenFile, found, local_token
from tests.shell import run


def test_a_token_is_kept_as_its_digest_for_us_alone(tmp_path: Path) -> None:
    given = TokenFile(tmp_path).add("ci", Scope.READ)
    assert len(given) == 4 + 43
    kept = tmp_path / "api-tokens.json"
    assert given.removeprefix("mcm_") not in kept.read_text()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    token = found(TokenFile(tmp_path).current(), given, datetime.now(UTC))
    assert token is not None
    assert (token.name, token.scope) == ("ci", Scope.READ)
    assert found(TokenFile(tmp_path).current(), given[:-1], datetime.now(UTC)) is None


def test_many_hands_lose_no_token(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: TokenFile(tmp_path).add(f"t{number}", Scope.READ), range(24)))
    assert len(TokenFile(tmp_path).kept()) == 24


def test_an_expired_token_opens_nothing(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    given = TokenFile(tmp_path).add("ci", Scope.READ, now + timedelta(hours=1))
    tokens = TokenFile(tmp_path).current()
    assert found(tokens, given, now) is not None
    assert found(tokens, given, now + timedelta(hours=1)) is None


def test_this_machines_own_is_made_once_and_anew_after_it_was_revoked(tmp_path: Path) -> None:
    tokens = TokenFile(tmp_path)
    assert tokens.add_local()
    first = local_token(tmp_path)
    assert stat.S_IMODE(tokens.local.stat().st_mode) == 0o600
    assert not tokens.add_local()
    assert local_token(tmp_path) == first
    tokens.remove("local")
    assert local_token(tmp_path) == ""
    assert tokens.add_local()
    assert local_token(tmp_path) not in ("", first)
    assert found(tokens.current(), first, datetime.now(UTC)) is None


def test_what_root_makes_is_the_folders_owners(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can tell")
    os.chown(tmp_path, 1234, 1234)
    TokenFile(tmp_path).add_local()
    assert {(file.name, file.stat().st_uid) for file in tmp_path.iterdir()} == {
        ("api-tokens.json", 1234),
        ("api-token", 1234),
        ("api-tokens.lock", 1234),
        ("history.sqlite3", 1234),
    }


@pytest.mark.parametrize("text", ["", "{", "[]", '{"tokens": 5}', '{"tokens": [{}]}', '{"tokens": [{"name": "x"}]}'])
def test_a_list_that_is_none_is_a_sentence_and_opens_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "api-tokens.json").write_text(text)
    assert TokenFile(tmp_path).current() == ()
    with pytest.raises(SettingsInvalid, match="is not the API's list of tokens"):
        TokenFile(tmp_path).add("x", Scope.READ)


def test_a_history_that_cannot_be_written_changes_no_token(tmp_path: Path) -> None:
    TokenFile(tmp_path).add("ci", Scope.READ)
    (tmp_path / FILE).write_bytes(b"no database" * 1000)
    for change in (lambda: TokenFile(tmp_path).add("x", Scope.READ), lambda: TokenFile(tmp_path).remove("ci")):
        with pytest.raises(SettingsInvalid, match="No token was changed"):
            change()
    assert [each.name for each in TokenFile(tmp_path).kept()] == ["ci"]


# ---------------------------------------------------------------- the command


def test_the_command_makes_lists_and_revokes(tmp_path: Path) -> None:
    env = {"MCM_STATE_DIR": str(tmp_path / "state"), "MCM_API_TOKENS": "on"}
    made = run(tmp_path, "token", "create", "--name", "ci", "--scope", "read", "--expires", "90d", **env)
    assert made.returncode == 0, made.stderr
    given = made.stdout.strip()
    assert "shown once" in made.stderr
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700
    other = json.loads(run(tmp_path, "token", "create", "-o", "json", **env).stdout)
    assert other["scope"] == "write"
    listed = run(tmp_path, "token", "list", **env).stdout
    assert "ci" in listed
    assert given not in listed
    told = json.loads(run(tmp_path, "token", "list", "-o", "json", **env).stdout)
    assert (told["asked_for"], [each["name"] for each in told["tokens"]]) == (True, ["ci", other["name"]])
    left = datetime.fromisoformat(told["tokens"][0]["expires"]) - datetime.now(UTC)
    assert timedelta(days=89) < left < timedelta(days=90)
    assert run(tmp_path, "token", "revoke", "ci", **env).returncode == 0
    assert [each.name for each in TokenFile(tmp_path / "state").kept()] == [other["name"]]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("create", "--name", "a b"), 2, "A name is 1 to 63"),
        (("create", "--name", "local"), 2, "this machine's own"),
        (("create", "--expires", "2020-01-01T00:00:00Z"), 2, "a moment to come"),
        (("create", "--expires", "soon"), 2, "a moment to come"),
        (("revoke", "nobody"), 2, "There is no token named nobody. There are: none."),
    ],
)
def test_what_cannot_be_is_a_sentence(tmp_path: Path, words: tuple[str, ...], code: int, sentence: str) -> None:
    done = run(tmp_path, "token", *words, MCM_STATE_DIR=str(tmp_path / "state"))
    assert (done.returncode, done.stdout) == (code, "")
    assert sentence in done.stderr


def test_a_token_that_opens_nothing_is_said_not_to(tmp_path: Path) -> None:
    done = run(tmp_path, "token", "create", MCM_STATE_DIR=str(tmp_path / "state"))
    assert "asks for no token" in done.stderr
