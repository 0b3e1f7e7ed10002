"""The units and shapes of the answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given

from controller import status
from controller.conditions import WhoAsked
from controller.model import DesiredState, EngineView, Phase, SessionHealth, SessionState, Usage, UserView, Wish
from controller.sizes import bytes_size
from tests.api_world import SITE
from tests.views import AWAY, BOTH, ON_A_LOST_ONE, ON_A_NODE, a_session, a_view, phase, views, wishes
from tests.worlds import NOW, a_container

NOBODY = WhoAsked()


def test_health_as_the_reference_prints_it() -> None:
    usage = Usage(2.7412, round(2.302 * 2**30), 4 * 2**30, NOW)
    container = a_container(started_at=datetime.fromisoformat("2025-10-13T10:30:00.000999Z"))
    assert status.health_answer(SITE, a_view(container=container, usage=usage), NOW) == {
        "container_id": "matlab-user-7",
        "status": "running",
        "started_at": "2025-10-13T10:30:00.000Z",
        "cpu_usage": "2.74%",
        "memory_usage": "2.302GiB / 4GiB",
        "memory_percent": "57.55%",
        "web_service": "healthy",
        "websocket_service": "healthy",
        "http_port": 30007,
        "ws_port": 31007,
    }


@pytest.mark.parametrize("name", [each for each in Phase if each is not Phase.RUNNING])
def test_what_does_not_run_is_stopped(name: Phase) -> None:
    answer = status.health_answer(SITE, phase(name), NOW)
    assert (set(answer), answer["status"]) == ({"container_id", "status", "started_at"}, "stopped")


def test_old_knowledge_is_not_told_as_the_present() -> None:
    late = NOW + timedelta(seconds=6)
    answer = status.health_answer(SITE, a_view(usage=Usage(1, 2, 3, NOW)), late)
    assert answer["status"] == "running"
    assert answer["web_service"] == answer["websocket_service"] == answer["cpu_usage"] == "unknown"


def test_the_unknown_carries_its_age_and_what_was_known() -> None:
    usage = Usage(2.5, 2**30, 2**32, NOW)
    answer = status.health_answer(SITE, a_view(engine=AWAY, usage=usage), NOW + timedelta(seconds=30))
    assert (answer["status"], answer["age_seconds"]) == ("unknown", 30)
    assert answer["last_known"] == {
        "status": "running",
        "cpu_usage": "2.50%",
        "memory_usage": "1GiB / 4GiB",
        "memory_percent": "25.00%",
    }
    nothing = status.health_answer(SITE, UserView(3, EngineView()), NOW)
    assert (nothing["age_seconds"], nothing["last_known"]["status"]) == (None, "unknown")
    gone = status.health_answer(SITE, UserView(3, EngineView(), observed_at=NOW), NOW)
    assert gone["last_known"]["status"] == "absent"


def test_a_row_of_the_list_has_local_time() -> None:
    container = a_container(phase=Phase.EXITED, created_at=datetime.fromisoformat("2025-10-13T02:30:00.999Z"))
    row = status.list_row(SITE, 1, container, lambda moment: moment.astimezone(ZoneInfo("Asia/Shanghai")))
    assert row == {
        "container_id": "matlab-user-1",
        "user_id": 1,
        "status": "exited",
        "created": "2025-10-13 10:30:00",
        "http_port": 30001,
        "ws_port": 31001,
    }


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0B"),
        (1023, "1023B"),
        (1024, "1KiB"),
        (1536, "1.5KiB"),
        (35 * 2**20 + 123456, "35.12MiB"),
        (1000 * 2**20, "1000MiB"),
        (1023.99 * 2**20, "1024MiB"),
        (4 * 2**30, "4GiB"),
        (2.302 * 2**30, "2.302GiB"),
        (123.456 * 2**30, "123.5GiB"),
        (2**80 * 5000, "5000YiB"),
    ],
)
def test_sizes_are_written_as_the_docker_cli_does(size: float, text: str) -> None:
    """Expected values: `units.BytesSize` of docker/go-units, which is `%.4g` in steps of 1024."""
    assert bytes_size(size) == text


def test_nothing_limits_the_memory() -> None:
    assert status.health_answer(SITE, a_view(usage=Usage(0, 5, 0, NOW)), NOW)["memory_percent"] == "0.00%"


@pytest.mark.parametrize("told", [a_session(), a_session(SessionState.BUSY), a_session(safe_mode=True)])
def test_what_a_session_tells_of_itself_stands_in_its_users_document(told: SessionHealth) -> None:
    view = a_view(probe=replace(BOTH, session=told))
    observed = status.user_document(SITE, DesiredState(5, None, {7: Wish()}), view, NOW, NOBODY)["observed"]
    assert observed["session"] == {
        "state": told.state.value,
        "since": "2026-11-22T11:59:20.000Z",
        "last_activity": "2026-11-22T11:59:20.000Z",
        "interpreter": "octave 7.3.0",
        "restarts": 0,
        "safe_mode": told.safe_mode,
        "started_at": "2026-11-22T11:57:00.000Z",
    }


@given(wishes, views)
def test_whatever_is_known_there_is_an_answer(wish: Wish | None, view: UserView) -> None:
    users = {} if wish is None else {view.user_id: wish}
    assert status.user_document(SITE, DesiredState(5, None, users), view, NOW, NOBODY)["user_id"] == view.user_id
    assert status.health_answer(SITE, view, NOW)["status"] in ("running", "stopped", "unknown")


def test_where_a_session_is_stands_in_every_answer_about_it() -> None:
    view = a_view(container=ON_A_NODE)
    document = status.user_document(SITE, DesiredState(users={7: Wish()}), view, NOW, NOBODY)
    assert document["addresses"]["host"] == "10.0.0.2"
    assert document["access_url"] == "http://10.0.0.2:30007/"
    assert document["observed"]["container"]["node"] == {
        "name": "n2",
        "address": "10.0.0.2",
        "lost": "",
        "leaving": False,
        "id": "",
    }
    assert document["why"] == "The session runs and both its services answer, on n2; nothing is left to do."
    assert status.health_answer(SITE, view, NOW)["host"] == "10.0.0.2"
    assert status.list_row(SITE, 7, ON_A_NODE, lambda moment: moment)["host"] == "10.0.0.2"
    assert status.created_answer(SITE, view, "running", "")["host"] == "10.0.0.2"
    assert "host" not in status.created_answer(SITE, a_view(), "running", "")


def test_the_health_of_a_session_on_a_lost_node_is_unknown() -> None:
    health = status.health_answer(SITE, a_view(container=ON_A_LOST_ONE), NOW)
    assert (health["status"], health["web_service"]) == ("unknown", "unknown")
    assert health["details"] == "The node n2 is down, and the session may go on there."
