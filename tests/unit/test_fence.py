"""What may be listed for sessions to reach, and the rules that come of it."""

from __future__ import annotations

import pytest

from controller.fence import (
    NOWHERE,
    Place,
    batch,
    bridge_name,
    chain_name,
    hooks,
    jump,
    licence_server,
    moves,
    network_name,
    place,
    rules,
)

REFUSED = "-j REJECT --reject-with icmp-port-unreachable"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("10.0.0.5", Place("10.0.0.5")),
        ("10.0.0.5:27000", Place("10.0.0.5", 27000)),
        ("10.1.0.0/16", Place("10.1.0.0/16")),
        ("10.1.0.0/16:443", Place("10.1.0.0/16", 443)),
        ("licence.example.org:27000", Place("licence.example.org", 27000)),
        ("host", Place("host")),
    ],
)
def test_a_place_is_an_address_a_network_or_a_name(text: str, found: Place) -> None:
    assert place(text) == found


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            ":80",
            "host:",
            "host:0",
            "host:65536",
            "host:x",
            "10.0.0.5/8",
            "10.0.0",
            "10.0.0.256",
            "::1",
            "[::1]:80",
        ),
        *(
            "a b",
            "-x",
            "x-",
            "a..b",
            "$(id)",
            "host\n",
            "*",
            "a" * 254,
            "0.0.0.0/0",
            "169.254.169.254",
            "169.254.0.0/24",
        ),
    ],
)
def test_anything_else_is_none_nor_is_what_is_closed_in_any_case(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - it has no words; the setting has
        place(text)


def test_a_licence_server_may_be_reached_unasked() -> None:
    assert licence_server("27000@licence.example.org") == Place("licence.example.org")
    assert licence_server("27000@10.0.0.5") == Place("10.0.0.5")
    assert [licence_server(each) for each in (None, "/etc/matlab.lic", "1@a:2@b", "1@-j ACCEPT")] == [None] * 4


def test_by_itself_nothing_passes_but_answers() -> None:
    assert rules(NOWHERE.places, ["10.0.0.53"], internet=NOWHERE.internet) == (
        "-m conntrack --ctstate RELATED,ESTABLISHED -j RETURN",
        f"-d 169.254.0.0/16 {REFUSED}",
        REFUSED,
    )


def test_what_is_listed_passes_on_this_host_too_and_metadata_never() -> None:
    _, metadata, *listed, last = rules([Place("10.0.0.5", 27000), Place("10.1.0.0/16")], [], internet=False)
    assert metadata == f"-d 169.254.0.0/16 {REFUSED}"
    assert listed == [
        "-d 10.0.0.5/32 -p tcp -m tcp --dport 27000 -j RETURN",
        "-d 10.0.0.5/32 -p udp -m udp --dport 27000 -j RETURN",
        "-d 10.1.0.0/16 -j RETURN",
    ]
    assert last == REFUSED


def test_the_internet_is_neither_this_host_nor_its_neighbours() -> None:
    found = rules([], ["10.0.0.53"], internet=True)
    assert found[1] == "-d 10.0.0.53/32 -p tcp -m tcp --dport 53 -j RETURN"
    assert found.index(f"-d 169.254.0.0/16 {REFUSED}") < found.index(f"-m addrtype --dst-type LOCAL {REFUSED}")
    assert {f"-d {each} {REFUSED}" for each in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")} <= set(found)
    assert all(rule.endswith((REFUSED, "-j RETURN")) for rule in found)


def test_names_fit_where_they_go_and_tell_instances_apart() -> None:
    longest = "x" * 63
    assert network_name(longest) == f"mcm-{longest}"
    assert len(bridge_name(longest)) <= 15
    assert len(chain_name(longest)) <= 28
    assert bridge_name("a") != bridge_name("b")


def test_the_whole_is_applied_at_once() -> None:
    name = chain_name("a")
    assert batch("a", ["-j REJECT"], [f"-I INPUT 1 {jump('a')}"]).splitlines() == [
        "*filter",
        f":{name} - [0:0]",
        f"-A {name} -j REJECT",
        f"-I INPUT 1 {jump('a')}",
        "COMMIT",
    ]


DOCKERS = "-A FORWARD -j DOCKER-USER"
BEYOND = "-A FORWARD -i docker0 -o eth0 -j ACCEPT"


@pytest.mark.parametrize(
    ("saved", "passing"),
    [
        ([":DOCKER-USER - [0:0]", DOCKERS, BEYOND, "-A DOCKER-USER -j RETURN"], "DOCKER-USER"),
        ([f"-A FORWARD {jump('a')}", f"-A FORWARD {jump('b')}", DOCKERS], "DOCKER-USER"),
        ([":FORWARD ACCEPT [0:0]"], "FORWARD"),
        ([":DOCKER-USER - [0:0]", "-A DOCKER-USER -j RETURN"], "FORWARD"),
        ([":DOCKER-USER - [0:0]", BEYOND, DOCKERS], "FORWARD"),
        (["-A FORWARD -j ACCEPT", DOCKERS], "FORWARD"),
        ([f"-A FORWARD -i {bridge_name('a')} -j ACCEPT", DOCKERS], "FORWARD"),
        (["-A FORWARD -i eth0 -j DOCKER-USER"], "FORWARD"),
        (["-A FORWARD -j DOCKER-USER-2"], "FORWARD"),
        (["-A INPUT -j DOCKER-USER"], "FORWARD"),
    ],
)
def test_what_passes_through_is_held_where_docker_asks_us_before_all_else_and_otherwise_where_all_passes(
    saved: list[str], passing: str
) -> None:
    assert hooks(saved) == ("INPUT", passing)


def test_on_a_node_sessions_come_from_dockers_own_bridge() -> None:
    there = f"-i docker0 -j {chain_name('a')}"
    assert moves("a", [DOCKERS], "docker0") == (f"-I INPUT 1 {there}", f"-I DOCKER-USER 1 {there}")
    held = [DOCKERS, f"-A INPUT {there}", f"-A DOCKER-USER {there}"]
    assert moves("a", held, "docker0") == ()


OURS, OTHERS = jump("a"), jump("b")
PUT = {hook: f"-I {hook} 1 {OURS}" for hook in ("INPUT", "FORWARD", "DOCKER-USER")}


@pytest.mark.parametrize(
    ("saved", "moved"),
    [
        ([], [PUT["INPUT"], PUT["FORWARD"]]),
        ([DOCKERS], [PUT["INPUT"], PUT["DOCKER-USER"]]),
        ([DOCKERS, f"-A INPUT {OURS}", "-A INPUT -j ACCEPT", f"-A DOCKER-USER {OURS}"], []),
        ([DOCKERS, f"-A INPUT {OTHERS}", f"-A INPUT {OURS}", f"-A DOCKER-USER {OURS}"], []),
        (
            [DOCKERS, "-A INPUT -j ACCEPT", f"-A INPUT {OURS}", f"-A DOCKER-USER {OURS}"],
            [f"-D INPUT {OURS}", PUT["INPUT"]],
        ),
        (
            [DOCKERS, f"-A INPUT {OURS}", "-A DOCKER-USER -j RETURN", *[f"-A DOCKER-USER {OURS}"] * 2],
            [*[f"-D DOCKER-USER {OURS}"] * 2, PUT["DOCKER-USER"]],
        ),
        (
            ["-A FORWARD -j ACCEPT", f"-A FORWARD {OURS}", f"-A INPUT {OURS}"],
            [f"-D FORWARD {OURS}", PUT["FORWARD"]],
        ),
        ([f"-A FORWARD {OTHERS}", f"-A FORWARD {OURS}", f"-A INPUT {OURS}", "-A INPUT -i eth0 -j ACCEPT"], []),
    ],
)
def test_nothing_is_asked_before_our_chain(saved: list[str], moved: list[str]) -> None:
    assert [*moves("a", saved)] == moved
