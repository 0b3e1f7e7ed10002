"""What the operator allows: images by name, ceilings for one session, ceilings for all of them."""

from __future__ import annotations

import random
from dataclasses import replace
from math import inf
from types import MappingProxyType

import pytest

from controller import policy
from controller.errors import PolicyBroken, WishInvalid
from controller.model import DesiredState, RunState, Wish
from controller.target import UNLIMITED, Load, Policy, Profile, Site

GIB = 2**30
STANDARD = Profile("matlab-session:octave", 2, 4 * GIB, 4 * GIB, {}, None)
LARGE = replace(STANDARD, cpus=4, memory=8 * GIB)
STOPPED = Wish(state=RunState.STOPPED)


def site(total: Load = UNLIMITED) -> Site:
    place = ("test", "matlab-user-", "/srv/matlab", 30000, 31000, "127.0.0.1", "1000:1000", "standard")
    return Site(*place, {"standard": STANDARD, "large": LARGE}, Policy(total=total))


def state(default: str | None = None, **users: Wish) -> DesiredState:
    """`state(u5=Wish())` is a state with user 5."""
    return DesiredState(1, default, MappingProxyType({int(name[1:]): wish for name, wish in users.items()}))


def running(*user_ids: int) -> DesiredState:
    return state(None, **{f"u{user_id}": Wish() for user_id in user_ids})


# ---------------------------------------------------------------- one session


@pytest.mark.parametrize(
    ("pattern", "image", "meant"),
    [
        ("*", "registry.example.org:5000/lab/matlab@sha256:abc", True),
        ("matlab-session:octave", "matlab-session:octave", True),
        ("matlab-session:octave", "matlab-session:octave-full", False),
        ("matlab-session:*", "matlab-session:octave", True),
        ("matlab-session:*", "matlab-session", True),
        ("matlab-session:*", "matlab-session:octave@sha256:abc", True),
        ("matlab-session:*", "matlab-session-evil:octave", False),
        ("matlab-session:*", "evil/matlab-session:octave", False),
        ("matlab-session:*", "matlab-session:x/y", False),
        ("matlab-session*", "matlab-session.evil.example.org/x:1", False),
        ("matlab-session", "matlab-session:latest", True),
        ("matlab-session:latest", "matlab-session", True),
        ("matlab-session", "matlab-session:octave", False),
        ("localhost:5000/lab", "localhost:5000/lab:latest", True),
        ("localhost:5000/lab", "localhost:5000/lab:1", False),
        ("registry.example.org/lab/*", "registry.example.org/lab/matlab:r2024b", True),
        ("registry.example.org/lab/*", "registry.example.org/lab/matlab/more:1", False),
        ("registry.example.org/*", "registryXexample.org/lab:1", False),
        ("lab/matlab@sha256:abc", "lab/matlab@sha256:abc", True),
        ("lab/matlab@sha256:abc", "lab/matlab@sha256:abd", False),
        ("lab/matlab@sha256:abc", "lab/matlab:r2024b", False),
        ("lab/matlab@*", "lab/matlab@sha256:abc", True),
        ("lab/matlab@*", "lab/matlab:r2024b", False),
        ("a.b:*", "axb:1", False),
    ],
)
def test_an_image_is_meant_by_a_pattern(pattern: str, image: str, meant: bool) -> None:
    assert policy.matches(image, pattern) is meant


def test_a_profile_is_held_to_each_ceiling() -> None:
    allowed = Policy(("lab/*", "matlab-session:matlab"), cpus=3, memory=6 * GIB, shm=512 * 2**20)
    assert dict(policy.broken_by(LARGE, allowed)) == {
        "image": "matlab-session:octave, and the policy allows lab/*, matlab-session:matlab",
        "cpus": "4, and the policy allows a session at most 3",
        "memory": "8g, and the policy allows a session at most 6g",
        "shm": "4g, and the policy allows a session at most 512m",
    }
    assert not list(policy.broken_by(LARGE, Policy(cpus=4, memory=8 * GIB, shm=4 * GIB)))
    assert not list(policy.broken_by(LARGE, Policy()))


# ---------------------------------------------------------------- all sessions together


def test_who_shall_run_counts_with_the_limits_of_the_profile_in_force() -> None:
    wanted = state("large", u1=Wish(), u2=Wish(profile="standard"), u3=STOPPED, u4=Wish(paused=True))
    assert policy.load(wanted, site()) == (3, 4 + 2 + 4, (8 + 4 + 8) * GIB)
    assert policy.load(state(u1=Wish(profile="gone")), site()) == (1, 0, 0)


def test_up_to_a_ceiling_all_is_allowed_and_past_it_the_first_user_too_many_is_named() -> None:
    three = site(Load(3, inf, inf))
    assert policy.excess(running(1), running(1, 2, 3), three) is None
    found = policy.excess(running(1), running(1, 2, 3, 4, 5), three)
    assert found is not None
    assert (found.user_id, found.words) == (4, "5 of at most 3 sessions")


def test_each_ceiling_holds_by_itself_and_all_that_are_passed_are_told() -> None:
    many = [Load(inf, 5, inf), Load(inf, inf, 9 * GIB), Load(2, 5, 9 * GIB)]
    told = [policy.excess(DesiredState(), running(1, 2, 3), site(most)) for most in many]
    assert [found and found.words for found in told] == [
        "6 of at most 5 cpus",
        "12g of at most 9g memory",
        "3 of at most 2 sessions, 6 of at most 5 cpus, 12g of at most 9g memory",
    ]


def test_who_asks_for_no_more_than_before_is_not_to_blame() -> None:
    """User 1 was there; that 2 is now large is what makes it too much, and 3 asks for less."""
    before = state(u1=Wish(), u2=Wish(), u3=Wish(profile="large"))
    after = state(u1=Wish(), u2=Wish(profile="large"), u3=Wish(), u4=Wish())
    found = policy.excess(before, after, site(Load(inf, 9, inf)))
    assert found is not None
    assert (found.user_id, found.words) == (4, "10 of at most 9 cpus")


def test_where_a_ceiling_was_lowered_under_what_is_wanted_only_more_is_refused() -> None:
    two = site(Load(2, inf, inf))
    before = running(1, 2, 3, 4)
    assert policy.excess(before, before, two) is None
    assert policy.excess(before, running(1, 2, 3), two) is None
    assert policy.excess(before, running(1, 2, 3, 9), two) is None, "one for another"
    assert policy.excess(before, state(u1=STOPPED, u2=Wish(), u3=Wish(), u4=Wish(profile="large")), two) is None
    found = policy.excess(before, running(1, 2, 3, 4, 5), two)
    assert found is not None
    assert found.user_id == 5


def test_a_start_counts_as_more_and_a_stop_as_less() -> None:
    one = site(Load(1, inf, inf))
    half = state(u1=Wish(), u2=STOPPED)
    assert policy.excess(half, state(u1=STOPPED, u2=Wish()), one) is None
    with pytest.raises(PolicyBroken, match=r"with user 2 more would run .* 2 of at most 1 sessions"):
        policy.check(half, running(1, 2), one)


def test_another_default_profile_is_more_for_everybody() -> None:
    found = policy.excess(running(1, 2), state("large", u1=Wish(), u2=Wish()), site(Load(inf, 5, inf)))
    assert found is not None
    assert (found.user_id, found.words) == (2, "8 of at most 5 cpus")


def test_parts_of_cores_add_up_without_crumbs() -> None:
    tenth = replace(site(Load(inf, 0.3, inf)), profiles={"standard": replace(STANDARD, cpus=0.1)})
    assert policy.excess(DesiredState(), running(1, 2, 3), tenth) is None
    assert policy.excess(DesiredState(), running(1, 2, 3, 4), tenth) is not None


def test_a_text_is_refused_at_the_line_of_that_user() -> None:
    text = "version: 1\nusers:\n  3: {}\n  # row two\n  1: {}\n  2: {}\n"
    with pytest.raises(WishInvalid) as caught:
        policy.check_text(text, DesiredState(), running(1, 2, 3), site(Load(2, inf, inf)))
    assert [str(each) for each in caught.value.problems] == [
        "line 3, column 3: with user 3 more would run than the operator's policy allows: 3 of at most 2 sessions"
    ]
    with pytest.raises(WishInvalid) as caught:  # a merge can bring in users whom the text does not name
        policy.check_text("version: 1\nusers: {1: {}}\n", DesiredState(), running(1, 2), site(Load(1, inf, inf)))
    assert caught.value.problems[0].line == 0


def test_no_allowed_change_after_another_passes_a_ceiling() -> None:
    """Whatever is asked for in whatever order, what is in force keeps every ceiling that it once kept."""
    chance = random.Random(7)
    wishes = [None, Wish(), Wish(), STOPPED, Wish(profile="large")]
    most = Load(6, 15, 30 * GIB)
    allowed, refused = site(most), 0
    now = DesiredState(1)
    for _ in range(2000):
        asked = now.with_entry(chance.randint(1, 12), chance.choice(wishes))
        found = policy.excess(now, asked, allowed)
        if found is None:
            now = asked
        else:
            refused += 1
            assert found.user_id in asked.users
        assert not policy.exceeded(policy.load(now, allowed), most)
    assert refused > 100
