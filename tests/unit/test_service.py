"""A session as a service of a swarm: what is posted, and what is told of one that a hand has changed."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from controller.engine import service
from controller.engine.service import LABEL_LIMITS, Placing, Terms
from controller.fence import Place, Reach
from controller.model import Limits, Volume
from tests.worlds import GIB, a_spec

TERMS = Terms("default", Placing(reserved=0.5), 10)
LIMITS = Limits(2, 4 * GIB, 256)


def made(terms: Terms = TERMS, **changes: Any) -> dict[str, Any]:
    return service.service_of(a_spec(**changes), terms, LIMITS, {"licence.example.org": "10.0.0.5"})


def test_what_a_session_may_use_is_limited_and_a_share_of_it_is_reserved() -> None:
    assert made()["TaskTemplate"]["Resources"] == {
        "Limits": {"NanoCPUs": 2_000_000_000, "MemoryBytes": 4 * GIB, "Pids": 256},
        "Reservations": {"NanoCPUs": 1_000_000_000, "MemoryBytes": 2 * GIB},
    }


def test_no_less_is_reserved_than_a_swarm_takes() -> None:
    little = service.resources(Limits(0.01, 64 * 2**20, 256), Terms("default", Placing(reserved=0.01), 10))
    assert little["Reservations"] == {"NanoCPUs": 10**6, "MemoryBytes": 4 * 2**20}


def given(spec: dict[str, Any]) -> Limits:
    return service.given(spec, spec["TaskTemplate"])


def test_it_is_made_and_not_started_and_the_swarm_starts_it_never() -> None:
    posted = made()
    assert posted["Mode"] == {"Replicated": {"Replicas": 0}}
    assert posted["TaskTemplate"]["RestartPolicy"] == {"Condition": "none"}
    assert "Healthcheck" not in posted["TaskTemplate"]["ContainerSpec"]


@pytest.mark.parametrize(("publish", "mode"), [("host", "dnsrr"), ("ingress", "vip")])
def test_ports_are_published_as_the_operator_says(publish: service.Publish, mode: str) -> None:
    endpoint = made(Terms("default", Placing(publish), 10))["EndpointSpec"]
    assert endpoint["Mode"] == mode
    assert [(p["TargetPort"], p["PublishedPort"], p["PublishMode"]) for p in endpoint["Ports"]] == [
        (8888, 30007, publish),
        (8889, 31007, publish),
    ]


def test_a_session_knows_the_names_that_it_may_ask_for() -> None:
    container = made()["TaskTemplate"]["ContainerSpec"]
    assert container["Hosts"] == ["10.0.0.5 licence.example.org"]
    assert container["DNSConfig"] == {"Options": ["timeout:1", "attempts:1"]}
    on_the_internet = Placing(reach=Reach((Place("10.0.0.5"),), internet=True))
    assert made(Terms("default", on_the_internet, 10))["TaskTemplate"]["ContainerSpec"]["DNSConfig"] == {}


def test_the_next_run_has_the_limits_that_were_declared_meanwhile() -> None:
    spec = made()
    spec["Labels"][LABEL_LIMITS] = service.limits_text(Limits(0.5, GIB, 512))
    assert list(service.deferred(given(spec), service.declared(spec))) == [
        "cpus 0.5 instead of 2",
        "memory 1024 MiB instead of 4096 MiB",
        "processes 512 instead of 256",
    ]
    assert service.next_run(spec, TERMS, ["node.id==node-1"]) == 1
    assert list(service.deferred(given(spec), service.declared(spec))) == []
    assert spec["TaskTemplate"]["Placement"] == {"Constraints": ["node.id==node-1"]}
    assert service.next_run(spec, TERMS, ()) == 2
    assert spec["TaskTemplate"]["Placement"] == {}


def test_a_session_of_a_pool_knows_its_labels_whatever_it_is_pinned_to() -> None:
    labels = {"disk": "ssd", "pool": "gpu"}
    spec = made(node_labels=tuple(labels.items()))
    assert (service.node_labels(spec), service.node_labels(made())) == (labels, {})
    service.next_run(spec, TERMS, ["node.id==node-1"])
    assert (service.node_labels(spec), service.loose(spec)) == (labels, ())


@pytest.mark.parametrize("label", ["", "{", "[]", '"pool"', "null", "[" * 10_000], ids=lambda label: label[:9])
def test_labels_that_a_hand_spoilt_are_none_and_that_is_told(label: str) -> None:
    spec = made(node_labels=(("pool", "gpu"),))
    spec["Labels"][service.LABEL_NODES] = label
    assert service.node_labels(spec) == {}
    assert service.loose(spec) == ("a hand changed its environment, mounts, ports, names or place",)


def test_where_a_run_that_did_not_end_may_go_on_is_known_until_the_next_begins() -> None:
    spec = made()
    service.note_left(spec, [])
    assert service.LABEL_LEFT not in spec["Labels"]
    service.note_left(spec, ["id1", "id2"])
    assert spec["Labels"][service.LABEL_LEFT] == "id1 id2"
    service.note_left(spec, [])
    assert service.LABEL_LEFT not in spec["Labels"]
    service.note_left(spec, ["id2"])
    service.next_run(spec, TERMS, ())
    assert service.LABEL_LEFT not in spec["Labels"]


NFS = Volume("mcm-default-user_7-0123456789ab", "nfs", "addr=10.0.0.9,rw", ":/export/user_7")


def test_a_node_mounts_the_users_data_itself_where_there_is_a_volume() -> None:
    spec = made(volume=NFS)
    mount = spec["TaskTemplate"]["ContainerSpec"]["Mounts"][0]
    assert (mount["Type"], mount["Source"], mount["Target"]) == ("volume", NFS.name, "/home/matlab/shared")
    assert mount["VolumeOptions"]["NoCopy"]
    options = {"type": "nfs", "o": "addr=10.0.0.9,rw", "device": ":/export/user_7"}
    assert mount["VolumeOptions"]["DriverConfig"] == {"Name": "local", "Options": options}
    assert service.data_folder(spec) == NFS.name == a_spec(volume=NFS).mounted
    assert service.loose(spec) == ()


def test_limits_that_the_node_gave_a_run_are_that_runs_and_not_the_nexts() -> None:
    spec = made()
    service.next_run(spec, TERMS, ())
    service.put_right(spec, Limits(0.5, GIB, 512))
    assert given(spec) == LIMITS
    service.note_given(spec, Limits(0.5, GIB, 512))
    assert given(spec) == Limits(0.5, GIB, 512)
    service.put_right(spec, Limits(1, GIB, 512))
    service.next_run(spec, TERMS, ())
    assert given(spec) == Limits(1, GIB, 512)


@pytest.mark.parametrize("label", ["", "1", "1/", "1/2:x:256", "x/2:1:1", "2/9:9:9"], ids=str)
def test_where_a_hand_spoilt_what_was_given_it_counts_for_nothing(label: str) -> None:
    spec = made()
    service.next_run(spec, TERMS, ())
    spec["Labels"][service.LABEL_GIVEN] = label
    assert given(spec) == LIMITS


def test_limits_are_told_as_exactly_as_they_were_declared() -> None:
    odd = Limits(0.123456789, 6 * 2**20 + 1, 17)
    spec = made()
    spec["Labels"][LABEL_LIMITS] = service.limits_text(odd)
    assert service.declared(spec) == odd


@pytest.mark.parametrize("label", [None, "", "2", "2:x:256", "1.2.3:1:1", "inf:1:1", "2:1:1:1"], ids=str)
def test_where_a_hand_spoilt_the_declared_limits_those_of_the_last_run_stay(label: str | None) -> None:
    spec = made()
    del spec["Labels"][LABEL_LIMITS]
    if label is not None:
        spec["Labels"][LABEL_LIMITS] = label
    assert service.declared(spec) == LIMITS


def test_as_made_nothing_is_loose() -> None:
    assert service.loose(made()) == ()


@pytest.mark.parametrize(
    ("where", "value", "words"),
    [
        (("ContainerSpec", "ReadOnly"), False, "ReadOnly is False"),
        (("ContainerSpec", "CapabilityDrop"), [], "CapabilityDrop is []"),
        (("ContainerSpec", "CapabilityAdd"), ["CAP_SYS_ADMIN"], "CapabilityAdd is ['CAP_SYS_ADMIN']"),
        (("ContainerSpec", "User"), "0:0", "it runs as 0:0"),
        (("ContainerSpec", "Mounts"), [{"Type": "bind", "Target": "/", "Source": "/"}], "mounted is /"),
        (
            ("ContainerSpec", "Mounts"),
            [
                {"Type": "bind", "Target": "/home/matlab/shared", "Source": "/srv/matlab/user_7"},
                {"Type": "tmpfs", "Target": "/tmp", "TmpfsOptions": {"SizeBytes": 512 * 2**20}},
                {"Type": "tmpfs", "Target": "/dev/shm"},
            ],
            "/dev/shm has no limit",
        ),
        (("LogDriver",), {"Name": "syslog"}, "its output goes to syslog"),
        (("Networks",), [{"Target": "another"}], "it is in a network of the swarm"),
        (("RestartPolicy",), {"Condition": "any"}, "the swarm restarts it"),
    ],
    ids=str,
)
def test_what_a_hand_has_changed_is_told(where: tuple[str, ...], value: object, words: str) -> None:
    spec = copy.deepcopy(made())
    at = spec["TaskTemplate"]
    for name in where[:-1]:
        at = at[name]
    at[where[-1]] = value
    assert service.loose(spec) == (words,)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("ContainerSpec", "Env"), ["LD_PRELOAD=/x.so"]),
        (("ContainerSpec", "User"), "4711:4711"),
        (("ContainerSpec", "Hosts"), ["10.0.0.6 licence.example.org"]),
        (("ContainerSpec", "DNSConfig"), {"Nameservers": ["10.0.0.6"]}),
        (("ContainerSpec", "StopGracePeriod"), 1),
        (("Placement",), {"Constraints": ["node.labels.pool==gpu"]}),
        (("Placement",), {"Constraints": ["node.hostname==n3"]}),
    ],
    ids=str,
)
def test_that_a_hand_changed_something_else_is_told_too(where: tuple[str, ...], value: object) -> None:
    spec = copy.deepcopy(made())
    at = spec["TaskTemplate"]
    for name in where[:-1]:
        at = at[name]
    at[where[-1]] = value
    assert service.loose(spec) == ("a hand changed its environment, mounts, ports, names or place",)
    del spec["Labels"][service.LABEL_MADE]  # made by a version that did not tell
    assert service.loose(spec) == ()


def test_ports_that_a_hand_moved_are_told() -> None:
    spec = copy.deepcopy(made())
    spec["EndpointSpec"]["Ports"][0]["PublishedPort"] = 30099
    assert service.loose(spec) == ("a hand changed its environment, mounts, ports, names or place",)


def test_what_the_controller_itself_changes_is_no_hands_doing() -> None:
    spec = made(node_labels=(("pool", "gpu"),), volume=NFS)
    service.next_run(spec, TERMS, ["node.id==node-1"])
    service.put_right(spec, Limits(0.5, GIB, 512))
    service.note_given(spec, Limits(0.5, GIB, 512))
    assert service.loose(spec) == ()


def test_a_port_that_a_hand_published_is_told() -> None:
    spec = made()
    spec["EndpointSpec"]["Ports"].append({"Protocol": "tcp", "TargetPort": 22, "PublishedPort": 30022})
    assert service.loose(spec) == ("published is 22, 8888, 8889",)


def test_more_tasks_than_one_are_told_and_put_right_under_the_session() -> None:
    spec = made()
    spec["Mode"] = {"Replicated": {"Replicas": 3}}
    assert service.loose(spec) == ()
    assert list(service.slack(spec, 1)) == ["3 tasks at once, which write into one folder"]
    service.put_right(spec, LIMITS)
    assert spec["Mode"] == {"Replicated": {"Replicas": 1}}
    assert list(service.slack(spec, 1)) == []
    assert list(service.slack(spec, 2)) == ["2 tasks at once, which write into one folder"]
    assert spec["TaskTemplate"] == made()["TaskTemplate"]


def test_a_stopped_session_is_not_begun_by_other_limits() -> None:
    spec = made()
    service.put_right(spec, Limits(0.5, GIB, 512))
    assert spec["Mode"] == {"Replicated": {"Replicas": 0}}
    assert service.declared(spec) == Limits(0.5, GIB, 512)


@pytest.mark.parametrize("mode", [{"Global": {}}, {"ReplicatedJob": {}}], ids=str)
def test_a_foreign_service_of_another_kind_under_our_name_is_looked_at_without_trouble(mode: dict[str, Any]) -> None:
    plugin = {"Name": "matlab-user-7", "Mode": mode, "TaskTemplate": {"Runtime": "plugin"}}
    assert service.data_folder(plugin) == ""
    assert service.wanted(plugin)
    assert list(service.slack(plugin, 1)) == []


def test_how_sessions_are_held_is_a_mark_that_the_way_of_publishing_changes() -> None:
    assert TERMS.mark == Terms("default", Placing(reserved=1), 99).mark
    assert TERMS.mark != Terms("default", Placing("ingress"), 10).mark
