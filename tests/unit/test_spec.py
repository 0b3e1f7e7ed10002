"""What a text may say, what it means for the engine, and the sentence for each thing that it may not say."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

import jsonschema
import pytest
import yaml

from controller import merge, spec, target
from controller.access import Access
from controller.errors import WishInvalid
from controller.model import DesiredState, RunState, Target, Wish
from controller.target import Profile, Site

ROOT = Path(__file__).parents[2]
PROFILES = {"standard", "large"}


def parse(text: str | bytes, *, end_mark: bool = False) -> DesiredState:
    return spec.parse(text, max_users=100, profiles=PROFILES, end_mark=end_mark)


def problems(text: str | bytes, *, end_mark: bool = False) -> list[str]:
    with pytest.raises(WishInvalid) as caught:
        parse(text, end_mark=end_mark)
    return [str(problem) for problem in caught.value.problems]


def state(generation: int = 0, default: str | None = None, **users: Wish) -> DesiredState:
    """`state(u5=Wish())` is a state with user 5."""
    return DesiredState(generation, default, MappingProxyType({int(name[1:]): wish for name, wish in users.items()}))


# ---------------------------------------------------------------- what a text may say


def test_the_example_of_the_design() -> None:
    text = """\
version: 1
generation: 12
defaults: {profile: standard}
users:
  10: {profile: large, session_id: "abc-123", restart_at: 2026-11-22T10:00:00Z}
  1: {}                              # running, with the defaults
  5: {state: stopped}                # its container is kept, stopped
...
"""
    assert parse(text, end_mark=True) == state(
        12,
        "standard",
        u1=Wish(),
        u5=Wish(state=RunState.STOPPED),
        u10=Wish(profile="large", session_id="abc-123", restart_at=datetime(2026, 11, 22, 10, tzinfo=UTC)),
    )
    assert list(parse(text).users) == [1, 5, 10]


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nusers:\n",
        "version: 1\nusers: ~\n",
        "version: 1\nusers: {}",
        "---\nversion: 1\nusers: {}\n...\n",
        "\ufeffversion: 1\r\nusers: {}\r\n",
        '{"version": 1, "users": {}}',
    ],
)
def test_nobody_can_be_said_in_many_ways(text: str) -> None:
    assert parse(text) == state()


@pytest.mark.parametrize("entry", ["", " ~", " {}", " {  }  # comment", " null"])
def test_an_entry_without_fields_takes_the_defaults(entry: str) -> None:
    assert parse(f"version: 1\nusers:\n  5:{entry}\n") == state(u5=Wish())


@pytest.mark.parametrize(
    "session_id", ["a", "a" * 128, "A-z_0.9:@", '"123"', "'yes'", "2026-11-22", "a:b", "@x".join("''")]
)
def test_session_ids_that_pass(session_id: str) -> None:
    wish = parse(f"version: 1\nusers: {{5: {{session_id: {session_id}}}}}\n").users[5]
    assert wish.session_id == session_id.strip("\"'")


@pytest.mark.parametrize(
    "session_id",
    [
        "''",
        "123",
        "yes",
        "1.5",
        "10:30",
        "~",
        "''''",
        "../x",
        "$(id)",
        '"a\\nb"',
        '"a\\0"',
        "<script>",
        "é",
        "a" * 129,
        "[a]",
    ],
)
def test_session_ids_that_do_not(session_id: str) -> None:
    [problem] = problems(f"version: 1\nusers:\n  5: {{session_id: {session_id}}}\n")
    assert problem.startswith("line 3, column 19: session_id must be 1 to 128 of letters, digits and ")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
        ("2026-11-22T10:00Z", "2026-11-22T10:00:00Z"),
        ("2026-11-22T10:00:00+08:00", "2026-11-22T02:00:00Z"),
        ("2026-11-22T10:00:00.5Z", "2026-11-22T10:00:00.500Z"),
        ('"2026-11-22T10:00:00.123999999-00:30"', "2026-11-22T10:30:00.123Z"),
    ],
)
def test_moments_keep_their_zone_and_their_milliseconds(text: str, moment: str) -> None:
    at = parse(f"version: 1\nusers: {{5: {{restart_at: {text}}}}}\n").users[5].restart_at
    assert at is not None
    assert spec.format_instant(at) == moment


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-22T10:00:00",
        "2026-11-22",
        "2026-11-22 10:00:00Z",
        "20261122T100000Z",
        "2026-02-30T10:00:00Z",
        "2026-11-22T10:00:60Z",
        "0001-01-01T00:00:00+23:00",
        "9999-12-31T23:59:59-01:00",
        "2026-W47-7T10:00:00Z",
        "٢٠٢٦-11-22T10:00:00Z",
        "1763805600",
        "now",
        "",
    ],
)
def test_moments_that_are_none(text: str) -> None:
    [problem] = problems(f"version: 1\nusers:\n  5: {{restart_at: {text}}}\n")
    assert problem == "line 3, column 19: restart_at must be a moment with its time zone, as in `2026-11-22T10:00:00Z`"


# ---------------------------------------------------------------- what it may not say


@pytest.mark.parametrize(
    "key",
    ["0", "010", "1_0", "0x1", "+1", "-1", "1:30", "1.0", "101", "'5'", '"5"', "yes", "~", "٥", "1e1", "9" * 5000],
)
def test_a_user_id_is_plain_decimal(key: str) -> None:
    [problem] = problems(f"version: 1\nusers: {{{key[:900]}: {{}}}}\n")
    assert problem == (
        "line 2, column 9: a user id must be a plain number from 1 to 100, without quotes or zeros before it"
    )


EMPTY = "the file says nothing; to have no users at all, write `users: {}`"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", [EMPTY]),
        (" \r\n\n", [EMPTY]),
        ("# nothing\n...\n", [EMPTY]),
        ("users: {}\n", ["line 1, column 1: `version` is missing: version must be 1"]),
        (
            "version: 1\n",
            [
                "line 1, column 1: `users` is missing: "
                "users must list users by number, as in `users: {5: {}}`; for nobody write `users: {}`"
            ],
        ),
        ("- 1\n", ["line 1, column 1: the file must be a mapping that starts with `version: 1`"]),
        ("version: true\nusers: {}\n", ["line 1, column 10: version must be 1"]),
        (
            "version: 1\ngeneration: 0x10\nusers: {}\n",
            [
                "line 2, column 13: generation must be the whole number that the controller wrote; "
                "where there was none, leave it out"
            ],
        ),
        (
            "version: 1\ndefaults: {image: x}\nusers: {}\n",
            ["line 2, column 12: unknown key `image`; allowed: profile"],
        ),
        (
            "version: 1\nuser: {}\nusers: {}\n",
            [
                "line 2, column 1: unknown key `user` (did you mean `users`?); "
                "allowed: version, generation, paused, defaults, users"
            ],
        ),
        (
            "version: 1\nusers:\n  5: {stat: stopped}\n  6: {state: on}\n  7: {state: }\n  8: stopped\n",
            [
                "line 3, column 7: unknown key `stat` (did you mean `state`?); "
                "allowed: state, profile, session_id, restart_at, paused",
                "line 4, column 14: state must be `running` or `stopped`",
                "line 5, column 14: state must be `running` or `stopped`",
                "line 6, column 6: user 8 must be `{}` or have fields, as in `{state: stopped}`",
            ],
        ),
        (
            "version: 1\ndefaults: {profile: lrge}\nusers: {5: {profile: no}}\n",
            [
                "line 2, column 21: there is no profile `lrge` (did you mean `large`?); there are: large, standard",
                "line 3, column 22: profile must be the name of a profile; "
                "put it in quotes if it looks like a number or like yes or no",
            ],
        ),
        (
            "version: 1\nusers:\n  5: {state: running, state: stopped}\n  5: {}\n",
            [
                "line 3, column 23: `state` stands here a second time; the first is in line 3",
                "line 4, column 3: `5` stands here a second time; the first is in line 3",
            ],
        ),
        (
            "version: 1\nusers:\n  1: &a {}\n  2: *a\n  3: !!map {}\n  <<: {}\n  ? 4\n  : {}\n  [5]: {}\n",
            [
                "line 3, column 6: anchors (`&name`) are not used in this file",
                "line 4, column 6: aliases (`*name`) are not used in this file; write the value out",
                "line 5, column 6: tags (`!name`) are not used in this file",
                "line 6, column 3: merge keys (`<<`) are not used in this file; write the fields out",
                "line 7, column 5: keys marked by `?` are not used in this file",
                "line 9, column 3: a key must be a single word or number",
            ],
        ),
        (
            "version: 1\nusers:\n  5:\n    profile: |-\n      large\n",
            ["line 4, column 14: blocks of text (`|` and `>`) are not used in this file"],
        ),
        (
            "version: 1\nusers: {}\n---\nversion: 1\n",
            ["line 3, column 1: a second document starts here; the file must hold only one"],
        ),
        (
            "version: 1\nusers:\n  1: {}\n...\n  2: {}\n",
            ["line 5, column 3: this stands behind the line `...`, which ends the file; put it above that line"],
        ),
        (
            "version: 1\n<<<<<<< HEAD\nusers: {}\n=======\nusers: {1: {}}\n>>>>>>> b\n",
            [
                "line 2, column 1: a git merge conflict was left here: "
                "keep the lines that shall hold and delete the marker lines"
            ],
        ),
        (
            "version: 1\nusers: {1: {}\n",
            [
                "line 3, column 1: this cannot be read as YAML: while parsing a flow mapping "
                "that starts at line 2, column 8, did not find expected ',' or '}'"
            ],
        ),
        (
            "version: 1\nusers:\n\t1: {}\n",
            ["line 3, column 1: a tab stands where lines are indented; YAML wants spaces"],
        ),
        ("version: 1\nuse\0rs: {}\n", ["line 2, column 4: the character U+0000 has no place in this file"]),
        ("version: 1\n\u2028users: {}\n", ["line 2, column 1: the character U+2028 has no place in this file"]),
        ("version: 1\rusers: {}\n", ["line 1, column 11: the character U+000D has no place in this file"]),
        ("version: \ud800\n", ["line 1, column 10: the character U+D800 has no place in this file"]),
        ("[" * 100_000, ["line 1, column 9: nested more than 8 levels deep"]),
        ("{a: " * 50_000, ["line 1, column 30: nested more than 8 levels deep"]),
        (
            "version: 1\n" + "#" * 256 * 1024,
            ["the file is larger than 256 KB; a desired state for 100 users needs about 10"],
        ),
        (b"\xff\xfev\0e\0", ["line 1, column 1: the file is UTF-16; save it as UTF-8"]),
        ("v: é\n".encode("latin-1"), ["line 1, column 4: byte 0xE9 is not UTF-8; save the file as UTF-8"]),
    ],
)
def test_every_fault_is_a_sentence_with_its_place(text: str | bytes, expected: list[str]) -> None:
    assert problems(text) == expected


def test_a_text_without_end_mark_counts_as_cut_off() -> None:
    assert problems("version: 1\nusers: {}\n", end_mark=True) == [
        "line 3, column 1: the last line `...` is gone, so the file may be cut off; "
        "if it is whole, end it with a line `...`"
    ]


def test_a_file_cut_at_any_byte_is_refused() -> None:
    users = "".join(f"  {i}: {{session_id: s-{i}}}\n" for i in range(1, 30))
    whole = f"# who\nversion: 1\ngeneration: 3\nusers:\n{users}...\n"
    parse(whole, end_mark=True)
    for length in range(len(whole) - 1):
        if whole[:length].endswith("\n..."):
            continue  # only the very last line break is lost: all is there
        problems(whole[:length], end_mark=True)


def test_no_more_problems_are_listed_than_a_person_mends() -> None:
    assert len(problems("version: 1\nusers:\n" + "".join(f"  x{i}: {{}}\n" for i in range(5000)))) == spec.MAX_PROBLEMS


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("name", "user_id"),
    [
        ("matlab-user-5", 5),
        ("matlab-user-100", 100),
        ("matlab-user-101", None),
        ("matlab-user-0", None),
        ("matlab-user-05", None),
        ("matlab-user-", None),
        ("matlab-user-5\n", None),
        ("matlab-user-²", None),
        ("matlab-user-٥", None),
        ("matlab-user-1_0", None),
        ("matlab-user-+5", None),
        ("MATLAB-USER-5", None),
        ("/matlab-user-5", None),
        ("5", None),
        ("matlab-user-" + "9" * 9000, None),
    ],
)
def test_user_of_a_container_name(name: str, user_id: int | None) -> None:
    assert spec.user_id_of("matlab-user-", name, 100) == user_id
    if user_id is not None:
        assert spec.container_name("matlab-user-", user_id) == name


@pytest.mark.parametrize("value", [None, 5, True, "", "a" * 129, "a\n", "\ud800", "a b", ["a"], {}])
def test_what_is_no_session_id(value: object) -> None:
    assert not spec.valid_session_id(value)


# ---------------------------------------------------------------- wish → target

NOTHING_SAID = Wish()
PROFILE = Profile("matlab:1", 2.0, 4 << 30, 4 << 30, MappingProxyType({"CONTEXT": "lab"}), None)
SITE = Site(
    instance="i1",
    container_prefix="matlab-user-",
    data_root="/srv/data/",
    http_port_base=30000,
    ws_port_base=31000,
    bind_address="127.0.0.1",
    run_as="1000:1000",
    default_profile="standard",
    profiles=MappingProxyType(
        {
            "standard": PROFILE,
            "large": replace(PROFILE, cpus=8.0, memory=16 << 30),
            "licensed": replace(PROFILE, licence="27000@lic"),
        }
    ),
)


def resolve(wish: Wish, default: str | None = None, site: Site = SITE) -> Target:
    return target.resolve(wish, 7, 3, default, site)


def test_what_the_operator_does_not_set_about_access_changes_no_container() -> None:
    """The hash of a container made by an earlier version, which knew nothing of it."""
    assert resolve(NOTHING_SAID).spec.spec_hash == "f9c7e251027fcfc1"
    locked = replace(SITE, access=replace(SITE.access, locked=True, secret=b"s"))
    assert resolve(NOTHING_SAID, site=locked).spec == resolve(NOTHING_SAID).spec


def test_a_session_is_told_of_the_operators_address_and_of_who_may_frame_it() -> None:
    profile = replace(PROFILE, env={"MCM_ALLOWED_ORIGINS": "https://platform.example"})
    access = Access("lab", session_url="https://lab.example.org/{user_id}/")
    site = replace(SITE, profiles={"standard": profile}, access=access, frame_ancestors="'self'")
    env = dict(resolve(NOTHING_SAID, site=site).spec.env)
    assert env["MCM_ALLOWED_HOSTS"] == "lab.example.org"
    assert env["MCM_ALLOWED_ORIGINS"] == "https://platform.example https://lab.example.org"
    assert env["MCM_FRAME_ANCESTORS"] == "'self'"


def test_a_session_with_time_to_end_is_told_how_much_of_it_the_interpreter_has() -> None:
    site = replace(SITE, profiles={"standard": replace(PROFILE, processes=2048, stop_grace_seconds=60)})
    made = resolve(NOTHING_SAID, site=site).spec
    assert (made.processes, made.stop_grace_seconds, dict(made.env)["MCM_STOP_SECONDS"]) == (2048, 60, "55")


def test_a_wish_with_its_defaults_filled_in() -> None:
    target = resolve(Wish(session_id="s"))
    assert (target.state, target.generation, target.restart_at) == (RunState.RUNNING, 3, None)
    made = target.spec
    assert (made.name, made.image, made.http_port, made.ws_port) == ("matlab-user-7", "matlab:1", 30007, 31007)
    assert (made.data_folder, made.profile, made.session_id) == ("/srv/data/user_7", "standard", "s")
    assert made.env == (
        ("CONTEXT", "lab"),
        ("MCM_CONTAINER", "matlab-user-7"),
        ("MCM_HTTP_PORT", "30007"),
        ("MCM_INSTANCE", "i1"),
        ("MCM_USER_ID", "7"),
        ("MCM_WS_PORT", "31007"),
    )
    assert dict(resolve(Wish(profile="licensed")).spec.env)["MLM_LICENSE_FILE"] == "27000@lic"


def test_the_nearest_profile_wins() -> None:
    assert resolve(Wish()).spec.profile == "standard"
    assert resolve(Wish(), default="large").spec.profile == "large"
    assert resolve(Wish(profile="standard"), default="large").spec.profile == "standard"


def test_a_profile_that_the_operator_took_away() -> None:
    with pytest.raises(WishInvalid, match=r"user 7 wants profile `gone`.*there are: large, licensed, standard"):
        resolve(Wish(profile="gone"))


def test_the_hash_changes_with_what_a_living_container_cannot_change_and_with_nothing_else() -> None:
    def hash_of(wish: Wish = NOTHING_SAID, **changes: object) -> str:
        profiles = {"standard": replace(PROFILE, **changes)} if changes else SITE.profiles  # type: ignore[arg-type]
        return resolve(wish, site=replace(SITE, profiles=profiles)).spec.spec_hash

    same = hash_of()
    assert len(same) == 16
    assert hash_of(Wish(profile="large")) == same, "only cpus, memory and the name differ"
    assert hash_of(Wish(session_id="other", state=RunState.STOPPED)) == same
    assert hash_of(cpus=1.0, memory=1) == same
    others = [hash_of(image="matlab:2"), hash_of(shm=1), hash_of(env={"CONTEXT": "x"}), hash_of(licence="1@x")]
    others += [hash_of(processes=512), hash_of(stop_grace_seconds=60)]
    assert len({same, *others}) == 7
    assert resolve(Wish(), site=replace(SITE, run_as="0:0")).spec.spec_hash != same


# ---------------------------------------------------------------- two writers

BASE = state(1, u1=Wish(), u2=Wish(profile="large"), u3=Wish())


def test_changes_of_different_things_are_both_kept() -> None:
    ours = state(4, u1=Wish(session_id="a"), u2=Wish(profile="large"), u3=Wish(), u9=Wish())
    theirs = state(1, "large", u1=Wish(state=RunState.STOPPED), u3=Wish(), u8=Wish())
    merged, conflicts = merge.merge(BASE, ours, theirs)
    assert merged == state(4, "large", u1=Wish(RunState.STOPPED, session_id="a"), u3=Wish(), u8=Wish(), u9=Wish())
    assert conflicts == ()


def test_the_same_field_goes_to_the_newer_writer_and_is_told() -> None:
    ours = state(4, u1=Wish(profile="a"), u2=Wish(profile="b", session_id="s"), u3=Wish(), u4=Wish(profile="x"))
    theirs = state(1, u1=Wish(profile="c"), u3=Wish(), u4=Wish(profile="y"))
    merged, conflicts = merge.merge(BASE, ours, theirs)
    assert merged == state(4, u1=Wish(profile="c"), u3=Wish(), u4=Wish(profile="y"))
    assert conflicts == (
        merge.Conflict(1, "profile", kept="c", lost="a"),
        merge.Conflict(2, "entry", kept="nothing", lost='{profile: "b", session_id: "s"}'),
        merge.Conflict(4, "profile", kept="y", lost="x"),
    )


def test_the_same_change_by_both_is_no_conflict() -> None:
    both = state(2, u1=Wish(), u3=Wish(state=RunState.STOPPED))
    assert merge.merge(BASE, both, both) == (both, ())


# ---------------------------------------------------------------- the schema for editors, and the shipped file


def test_the_committed_schema_is_the_generated_one() -> None:
    committed = (ROOT / "desired_state.schema.json").read_text()
    assert json.loads(committed) == spec.json_schema(), "run `matlabctl schema > desired_state.schema.json`"


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("version: 1\nusers: {}\n", True),
        ("version: 1\ngeneration: 3\ndefaults: {profile: large}\nusers: {'5': {state: stopped}, '6': ~}\n", True),
        ("version: 1\nusers: {'5': {restart_at: '2026-11-22T10:00:00Z', session_id: a-b}}\n", True),
        ("version: 1\nusers: {'05': {}}\n", False),
        ("version: 1\nusers: {'5': {image: x}}\n", False),
        ("version: 1\nusers: {'5': {state: ~}}\n", False),
        ("version: 1\nusers: {'5': {restart_at: '2026-11-22T10:00:00'}}\n", False),
        ("version: 2\nusers: {}\n", False),
        ("version: 1\n", False),
    ],
)
def test_the_schema_says_what_the_parser_says(text: str, good: bool) -> None:
    validator = jsonschema.Draft202012Validator(spec.json_schema())
    assert validator.is_valid(yaml.safe_load(text)) is good
    unquoted = text.replace("'5'", "5").replace("'6'", "6").replace("'05'", "05")
    if good:
        parse(unquoted)
    else:
        problems(unquoted)


def test_the_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(spec.json_schema())
    json.dumps(spec.json_schema())


def test_the_shipped_file_is_the_one_that_a_first_start_makes() -> None:
    """As committed: in a tree where `make run` ran, the file tells by now who has a session."""
    git = ["git", "-c", "safe.directory=*", "show", "HEAD:./desired_state.yaml"]
    shipped = subprocess.run(git, cwd=ROOT, capture_output=True, text=True, check=False)
    if shipped.returncode:
        pytest.skip(f"not a git clone: {shipped.stderr.strip()}")
    assert shipped.stdout == spec.EMPTY_WISH
    assert parse(spec.EMPTY_WISH, end_mark=True) == state(1)


EXPORT = target.Export("nfs", "addr=10.0.0.9,rw,hard", ":/export/matlab")


def test_a_volume_is_the_users_and_its_name_stands_for_all_that_it_is() -> None:
    one = resolve(NOTHING_SAID, site=replace(SITE, export=EXPORT)).spec
    assert one.volume is not None
    assert one.volume.device == ":/export/matlab/user_7"
    assert one.data_folder == resolve(NOTHING_SAID).spec.data_folder
    assert one.spec_hash != resolve(NOTHING_SAID).spec.spec_hash
    others = [
        target.volume("test", EXPORT, 8),
        target.volume("test", replace(EXPORT, device=":/elsewhere"), 7),
        target.volume("test", replace(EXPORT, options="addr=10.0.0.10,rw,hard"), 7),
        target.volume("test", replace(EXPORT, type="nfs4"), 7),
        target.volume("other", EXPORT, 7),
    ]
    assert len({target.volume("test", EXPORT, 7).name, *(each.name for each in others)}) == 6


def test_labels_of_nodes_make_sessions_anew_and_none_do_not() -> None:
    standard = SITE.profiles["standard"]
    pooled = replace(SITE, profiles={**SITE.profiles, "standard": replace(standard, node_labels={"pool": "gpu"})})
    spec = resolve(NOTHING_SAID, site=pooled).spec
    assert spec.node_labels == (("pool", "gpu"),)
    assert spec.spec_hash != resolve(NOTHING_SAID).spec.spec_hash
    assert resolve(NOTHING_SAID).spec.node_labels is None
