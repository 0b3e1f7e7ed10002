"""The addresses that open a session, its token, and the secret that tokens come from."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from controller import secretfile
from controller.access import Access, Addresses
from controller.errors import SettingsInvalid
from matlab.session_service.guard import guard_of

OPEN = Access("127.0.0.1")
LOCKED = Access("lab", locked=True, secret=b"s" * 32)
PROXIED = replace(LOCKED, session_url="https://lab.example.org/{user_id}/")


def test_a_session_without_a_token_is_at_its_ports() -> None:
    assert OPEN.check("5a17") == ""
    assert OPEN.addresses(7, 30007, 31007, "") == Addresses("http://127.0.0.1:30007/", "ws://127.0.0.1:31007/")


def test_a_session_on_a_node_is_at_that_nodes_address() -> None:
    assert OPEN.addresses(7, 30007, 31007, "", "10.0.0.2") == Addresses(
        "http://10.0.0.2:30007/", "ws://10.0.0.2:31007/"
    )
    found = OPEN.addresses(7, 30007, 31007, "", "fd00::2")
    assert found is not None
    assert found.page == "http://[fd00::2]:30007/"
    proxied = PROXIED.addresses(7, 30007, 31007, "", "10.0.0.2")
    assert proxied is not None
    assert proxied.page.startswith("https://lab.example.org/7/")


@given(st.binary(min_size=32, max_size=32), st.text("0123456789abcdef", min_size=32, max_size=32))
def test_the_session_opens_to_the_token_in_its_address(secret: bytes, salt: str) -> None:
    access = replace(LOCKED, secret=secret)
    check = access.check(salt)
    guard = guard_of({"MCM_TOKEN_CHECK": check})
    for site in (access, replace(access, locked=False), replace(PROXIED, secret=secret)):
        opening = site.addresses(7, 30007, 31007, check)
        assert opening is not None
        for address in (opening.page, opening.websocket):
            token = URL(address).query["token"]
            assert guard.opens(token)
            assert len(token) == 43
            assert token not in check
    assert not guard.opens(None)


def test_each_container_has_its_own_token() -> None:
    assert LOCKED.check("01") != LOCKED.check("02")


def test_with_another_secret_the_token_is_not_known_and_not_guessed() -> None:
    check = LOCKED.check("01")
    assert replace(LOCKED, secret=b"t" * 32).addresses(7, 30007, 31007, check) is None
    assert LOCKED.addresses(7, 30007, 31007, "garbage") is None
    assert LOCKED.addresses(7, 30007, 31007, "01:ä") is None


@pytest.mark.parametrize(
    ("session_url", "page", "websocket"),
    [
        ("https://lab.example.org/{user_id}/", "https://lab.example.org/7/", "wss://lab.example.org/7/ws"),
        ("http://lab:{http_port}/", "http://lab:30007/", "ws://lab:30007/ws"),
        ("https://u{user_id}.lab.org/", "https://u7.lab.org/", "wss://u7.lab.org/ws"),
    ],
)
def test_behind_a_proxy_the_websocket_is_beside_the_page_and_the_session_lets_it_in(
    session_url: str, page: str, websocket: str
) -> None:
    access = replace(OPEN, session_url=session_url)
    assert access.addresses(7, 30007, 31007, "") == Addresses(page, websocket)
    guard = guard_of(access.environment(7, 30007))
    origin, host = str(URL(page).origin()), URL(page).authority
    assert guard.knows(host)
    assert guard.trusts(origin, host)  # a proxy that passes the name on
    assert guard.trusts(origin, "127.0.0.1:30007")  # and one that does not
    assert not guard.trusts("https://evil.example", "127.0.0.1:30007")


def test_nothing_shown_of_the_settings_tells_the_secret() -> None:
    assert "ssss" not in repr(LOCKED)


# ---------------------------------------------------------------- the secret's file


def test_the_secret_is_made_once_and_for_us_alone(tmp_path: Path) -> None:
    secret = secretfile.load(tmp_path)
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(secret) == 32
    assert secretfile.load(tmp_path) == secret
    assert secretfile.load(_folder(tmp_path / "other")) != secret


def test_a_start_that_was_killed_while_it_made_the_secret_is_made_good(tmp_path: Path) -> None:
    (tmp_path / "token-secret.new").write_bytes(b"half")
    assert len(secretfile.load(tmp_path)) == 32
    assert [file.name for file in tmp_path.iterdir()] == ["token-secret"]


@pytest.mark.parametrize(("content", "mode", "says"), [(b"s" * 32, 0o640, "may read"), (b"short", 0o600, "is not")])
def test_a_secret_that_is_none_is_refused_with_a_sentence(tmp_path: Path, content: bytes, mode: int, says: str) -> None:
    file = tmp_path / "token-secret"
    file.write_bytes(content)
    file.chmod(mode)
    with pytest.raises(SettingsInvalid, match=says):
        secretfile.load(tmp_path)
    assert file.read_bytes() == content


def test_a_folder_that_cannot_keep_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="cannot be kept"):
        secretfile.load(tmp_path / "missing")


def _folder(path: Path) -> Path:
    path.mkdir()
    return path
