"""A setting is found in the right place, or the sentence says what is wrong, where, and what is allowed."""

import base64
from pathlib import Path
from typing import Literal

import pytest
import yaml

from controller.cli.reference import reference_page
from controller.errors import SettingsInvalid
from controller.home_settings import ElsewhereSettings, GitSettings
from controller.secretfile import webhook_key
from controller.settings import Settings, environment_name
from controller.sizes import parse_size, show_size
from controller.sources import load
from controller.target import Export, Load, Policy

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "controller.yaml"


def refusal(file: Path | None = None, env: dict[str, str] | None = None, **flags: object) -> str:
    with pytest.raises(SettingsInvalid) as caught:
        load(file, env or {}, flags)
    return str(caught.value)


# ---------------------------------------------------------------- where a value comes from


def test_flags_win_over_the_environment_which_wins_over_the_file_which_wins_over_the_default(file: Path) -> None:
    file.write_text("# ours\napi_port: 1111\nmax_users: 11\ninstance: file\n")
    loaded = load(file, {"MCM_API_PORT": "2222", "MCM_MAX_USERS": "22"}, {"api_port": "3333", "instance": None})
    settings, origins = loaded.settings, loaded.origins
    assert (settings.api_port, origins["api_port"]) == (3333, "flag --api-port")
    assert (settings.max_users, origins["max_users"]) == (22, "environment MCM_MAX_USERS")
    assert (settings.instance, origins["instance"]) == ("file", f"{file} line 4")
    assert (settings.api_host, origins["api_host"]) == ("127.0.0.1", "default")
    assert set(origins) == set(Settings.model_fields)


def test_the_names_that_others_script_against_are_all_there() -> None:
    names = {
        "MCM_API_HOST": "::1",
        "MCM_API_PORT": "1234",
        "MCM_DESIRED_STATE": "/a/wish.yaml",
        "MCM_STATE_DIR": "/a/state",
        "MCM_DATA_ROOT": "/a/data",
        "MCM_HTTP_PORT_BASE": "20000",
        "MCM_WS_PORT_BASE": "21000",
        "MCM_CONTAINER_PREFIX": "lab-",
        "MCM_INSTANCE": "lab",
        "MCM_MAX_USERS": "7",
        "MCM_MAX_CONCURRENT_STARTS": "3",
        "MCM_RESYNC_SECONDS": "2.5",
        "DOCKER_HOST": "tcp://10.0.0.5:2376",
    }
    taken = {environment_name(name): str(value) for name, value in load(None, names, {}).settings}
    assert {name: taken[name] for name in names} == names


def test_every_default_is_what_the_contract_says() -> None:
    settings = load(None, {}, {}).settings
    assert (settings.api_url, settings.max_users, settings.max_concurrent_starts) == ("http://127.0.0.1:8080", 100, 10)
    assert (settings.http_port_base, settings.ws_port_base) == (30000, 31000)
    assert (settings.container_prefix, settings.data_root) == ("matlab-user-", Path.home() / "matlab_data")
    standard = settings.profiles["standard"]
    assert (standard.cpus, standard.memory, standard.shm) == (2, 4 * 1024**3, 4 * 1024**3)


def test_a_relative_path_starts_at_the_files_folder_or_else_at_the_working_folder(
    file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    file.write_text("data_root: data\nstate_dir: ~/s\n")
    settings = load(file, {"MCM_DESIRED_STATE": "wish.yaml"}, {}).settings
    assert settings.data_root == tmp_path / "data"
    assert settings.state_dir == Path.home() / "s"
    assert settings.desired_state == tmp_path / "elsewhere/wish.yaml"


def test_the_state_folder_follows_xdg_unless_it_is_named(file: Path) -> None:
    file.write_text("state_dir: /named\n")
    xdg = {"XDG_STATE_HOME": "/xdg"}
    assert load(None, xdg, {}).settings.state_dir == Path("/xdg/matlab-container-manager")
    assert load(None, xdg, {}).origins["state_dir"] == "environment XDG_STATE_HOME"
    assert load(file, xdg, {}).settings.state_dir == Path("/named")
    assert load(None, xdg | {"MCM_STATE_DIR": "/env"}, {}).settings.state_dir == Path("/env")


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n...\n"])
def test_an_empty_file_changes_nothing(file: Path, text: str) -> None:
    file.write_text(text)
    assert load(file, {}, {}) == load(None, {}, {})


def test_the_profiles_of_the_file_replace_the_built_in_ones_and_fill_up_from_the_defaults(file: Path) -> None:
    file.write_text(
        "default_profile: gpu\nprofiles:\n  gpu: {cpus: 1.5, memory: 512m, env: {A: 'x y'}, licence: 1@h}\n"
    )
    settings = load(file, {}, {}).settings
    assert set(settings.profiles) == {"gpu"}
    gpu = settings.profiles["gpu"]
    assert (gpu.image, gpu.cpus, gpu.memory, gpu.shm) == ("matlab-session:octave", 1.5, 512 * 1024**2, 4 * 1024**3)
    assert (gpu.env, gpu.licence) == ({"A": "x y"}, "1@h")


def test_sizes_are_read_as_docker_reads_them() -> None:
    sizes = ("512m", "4g", "4G", "1.5g", "64k", "10b", "123", 456)
    assert [parse_size(text) for text in sizes] == [536870912, 4294967296, 4294967296, 1610612736, 65536, 10, 123, 456]
    for text in ("", "4gb ", "4 g", "-1g", "1e9", "²g", "４g", "g", ".5g", True, None):
        with pytest.raises(ValueError):  # noqa: PT011 - it has no words; the setting has
            parse_size(text)


def test_a_shown_size_is_read_back_as_itself() -> None:
    for size in (0, 1, 1023, 1024, 1025, 1024**2 + 1024, 512 * 1024**2, 3 * 1024**3, 3 * 1024**3 + 1):
        assert parse_size(show_size(size)) == size


# ---------------------------------------------------------------- what is wrong with one


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\n", " line 1: a is not a setting"),
        ("\n\napi_prot: 1\n", " line 3: api_prot is not a setting; did you mean api_port?"),
        ("api_port: 70000\n", " line 1: api_port cannot be 70000: it must be a whole number from 1 to 65535"),
        ("api_port: 1\napi_port: 2\n", " line 2: api_port was already given in line 1"),
        ("max_users: yes\n", " line 1: max_users cannot be True: it must be a whole number from 1 to 999"),
        ("session_user: 10:10\n", "session_user cannot be 610: it must be `uid:gid` in numbers"),
        ("profiles:\n  big:\n    memory: 9x\n", " line 3: profiles.big.memory cannot be '9x': it must be a size"),
        ("profiles:\n  big:\n    cpu: 9\n", " line 3: profiles.big.cpu is not a setting; did you mean cpus?"),
        ("profiles:\n  big:\n    env:\n      A: 1\n", " line 4: profiles.big.env.A cannot be 1: it must be a mapping"),
        ("profiles:\n  'a b': {}\n", " line 2: profiles.a b cannot be 'a b'"),
        ("desired_state:\n  git: {url: 'https://a:s3cret @host/x'}\n", ".git.url cannot be 'https://***@host/x': it"),
        ("profiles: {}\n", " line 1: profiles cannot be {}: it must be a mapping of at least one name"),
        ("profiles:\n  p: {}\n", "default: default_profile 'standard' is not one of the profiles (p)"),
        ("- a\n", " line 1: a mapping of settings"),
        ("a: [\n", " line 2: this is not YAML"),
        ("instance: a\x00b\n", ": this is not YAML"),
        ("api_port: !!python/name:os.system\n", " line 1: this is not YAML"),
        ("<<: {api_port: 0}\n", ": api_port cannot be 0"),
    ],
)
def test_a_fault_of_the_file_is_told_with_its_line(file: Path, text: str, sentence: str) -> None:
    file.write_text(text)
    told = refusal(file)
    assert sentence in told
    assert "\n" not in told, "one fault, one sentence"


def test_a_file_that_is_named_must_be_readable(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.yaml") == f"{tmp_path}/none.yaml cannot be read: No such file or directory"
    (tmp_path / "latin").write_bytes(b"instance: \xff\n")
    assert f"{tmp_path}/latin cannot be read" in refusal(tmp_path / "latin")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("MCM_STATE_DRI", "/x", "environment: MCM_STATE_DRI is not a setting; did you mean MCM_STATE_DIR?"),
        ("MCM_PROFILES", "{}", "environment: MCM_PROFILES is not a setting"),
        ("MCM_API_PORT", "x", "environment MCM_API_PORT: api_port cannot be 'x': it must be a whole number"),
        ("MCM_API_PORT", "30005", "environment MCM_API_PORT: api_port 30005 lies among the session ports"),
        ("MCM_STATE_DIR", "", "environment MCM_STATE_DIR: state_dir cannot be '': it must be a path"),
        ("MCM_DATA_ROOT", "/", "environment MCM_DATA_ROOT: data_root cannot be '/'"),
        ("MCM_DATA_ROOT", "/a\nb", "environment MCM_DATA_ROOT: data_root cannot be "),
        ("MCM_SESSION_USER", "0:0", "environment MCM_SESSION_USER: session_user cannot be '0:0'"),
        ("MCM_SESSION_USER", "1000:0", "session_user cannot be '1000:0'"),
        ("MCM_CONTAINER_PREFIX", "lab1", "not ending in a digit"),
        ("MCM_CONTAINER_PREFIX", "-lab", "container_prefix cannot be '-lab'"),
        ("MCM_INSTANCE", "a b", "instance cannot be 'a b'"),
        ("MCM_INSTANCE", "a\n", "instance cannot be 'a"),
        ("MCM_MAX_USERS", "1000", "max_users cannot be '1000': it must be a whole number from 1 to 999"),
        ("MCM_HTTP_PORT_BASE", "30950", "the page ports 30951 to 31050 and the WebSocket ports 31001 to 31100 meet"),
        ("MCM_WS_PORT_BASE", "65500", "ws_port_base leaves no ports for 100 users: the last would be 65600"),
        ("MCM_API_HOST", "example.org", "api_host cannot be 'example.org': it must be `localhost` or an IP address"),
        ("MCM_API_ALLOW", "10.0.0.1/8", "api_allow cannot be '10.0.0.1/8'"),
        ("MCM_API_NAMES", "lab_1", "api_names cannot be 'lab_1'"),
        ("MCM_API_TLS_CERT", "/a", "api_tls_cert and api_tls_key go together"),
        ("MCM_API_SOCKET", "/" + "a" * 100, "api_socket is too long"),
        ("MCM_BIND_ADDRESS", "localhost", "bind_address cannot be 'localhost': it must be an IP address"),
        ("MCM_SESSION_TOKENS", "yes", "session_tokens cannot be 'yes': it must be `auto`, `on` or `off`"),
        ("MCM_SESSION_URL", "https://lab.example.org/", "session_url cannot be 'https://lab.example.org/'"),
        ("MCM_SESSION_URL", "https://lab/{user_id}", "session_url cannot be 'https://lab/{user_id}'"),
        ("MCM_SESSION_URL", "https://lab/{user}/{user_id}/", "session_url cannot be"),
        ("MCM_SESSION_URL", "javascript://lab/{user_id}/", "session_url cannot be"),
        ("MCM_FRAME_ANCESTORS", "'self'; script-src *", "frame_ancestors cannot be ''self'; script-src *'"),
        ("MCM_FRAME_ANCESTORS", "'self'\r\nX: y", "frame_ancestors cannot be"),
        ("MCM_RESYNC_SECONDS", "nan", "resync_seconds cannot be 'nan'"),
        ("MCM_DEFAULT_PROFILE", "larg", "did you mean large?"),
        ("DOCKER_HOST", "somewhere", "environment DOCKER_HOST: docker_host cannot be 'somewhere'"),
    ],
)
def test_a_fault_of_the_environment_is_told_with_the_variable(name: str, value: str, sentence: str) -> None:
    told = refusal(env={name: value})
    assert sentence in told
    assert name in told


def test_a_fault_of_a_flag_is_told_with_the_flag() -> None:
    assert refusal(api_port="0").startswith("flag --api-port: api_port cannot be '0'")


def test_all_faults_are_told_at_once(file: Path) -> None:
    file.write_text("a: 1\nmax_users: 0\n")
    told = refusal(file, {"MCM_X": "", "MCM_API_PORT": "x"}, log_level="loud")
    assert len(told.splitlines()) == 5


def test_the_variables_of_tests_are_left_alone() -> None:
    assert load(None, {"MCM_TEST_ANYTHING": "1", "OTHER": "2"}, {}) == load(None, {}, {})


def test_other_machines_are_let_in_only_on_request() -> None:
    settings = load(None, {"MCM_API_HOST": "0.0.0.0", "MCM_BIND_ADDRESS": "::", "MCM_INSECURE": "true"}, {}).settings
    assert settings.api_url == "http://127.0.0.1:8080", "a client on this machine goes by loopback"


@pytest.mark.parametrize(
    ("env", "locked"),
    [
        ({}, False),
        ({"MCM_BIND_ADDRESS": "::1"}, False),
        ({"MCM_SESSION_URL": "http://localhost:{http_port}/"}, False),
        ({"MCM_BIND_ADDRESS": "0.0.0.0"}, True),
        ({"MCM_BIND_ADDRESS": "10.0.0.5"}, True),
        ({"MCM_SESSION_URL": "https://lab.example.org/{user_id}/"}, True),
        ({"MCM_SESSION_TOKENS": "on"}, True),
        ({"MCM_SESSION_TOKENS": "off", "MCM_SESSION_URL": "https://lab.example.org/{user_id}/"}, False),
        ({"MCM_SESSION_TOKENS": "off", "MCM_BIND_ADDRESS": "::", "MCM_INSECURE": "true"}, False),
    ],
)
def test_sessions_that_others_can_reach_ask_for_a_token(env: dict[str, str], locked: bool) -> None:
    assert load(None, env, {}).settings.sessions_locked is locked


@pytest.mark.parametrize(
    ("env", "locked"),
    [
        ({}, False),
        ({"MCM_API_HOST": "localhost"}, False),
        ({"MCM_API_HOST": "0.0.0.0"}, True),
        ({"MCM_BIND_ADDRESS": "0.0.0.0"}, True),
        ({"MCM_API_HOST": "10.0.0.5", "MCM_API_SOCKET": "/run/mcm.sock"}, False),
        ({"MCM_API_TOKENS": "on"}, True),
        ({"MCM_API_HOST": "0.0.0.0", "MCM_INSECURE": "true"}, False),
        ({"MCM_API_HOST": "0.0.0.0", "MCM_INSECURE": "true", "MCM_API_TOKENS": "on"}, True),
    ],
)
def test_calls_that_others_can_make_need_a_token(env: dict[str, str], locked: bool) -> None:
    assert load(None, env, {}).settings.api_locked is locked


@pytest.mark.parametrize("name", ["api_host", "bind_address"])
def test_calls_that_others_can_make_need_none_only_on_request(name: str) -> None:
    env = {f"MCM_{name.upper()}": "0.0.0.0", "MCM_API_TOKENS": "off"}
    assert f"{name} 0.0.0.0 would let other machines in" in refusal(env=env)
    assert not load(None, env | {"MCM_INSECURE": "true"}, {}).settings.api_locked


def test_a_token_is_no_setting(file: Path) -> None:
    assert load(None, {"MCM_TOKEN": "mcm_x"}, {}) == load(None, {}, {})


def test_paths_of_the_api_start_at_the_files_folder(file: Path) -> None:
    file.write_text("api_socket: api.sock\n")
    assert load(file, {}, {}).settings.api_socket == file.parent / "api.sock"
    file.write_text("api_socket: ''\n")
    assert load(file, {}, {}).settings.api_socket is None


def test_sessions_that_others_can_reach_ask_for_none_only_on_request() -> None:
    told = refusal(env={"MCM_BIND_ADDRESS": "::", "MCM_SESSION_TOKENS": "off"})
    assert "bind_address :: would let other machines in" in told
    assert "session_tokens" in told


def test_in_a_swarm_others_reach_the_ports_whatever_address_they_are_bound_to() -> None:
    settings = load(None, {"MCM_ENGINE": "swarm"}, {}).settings
    assert (settings.published_on, settings.sessions_locked, settings.api_locked) == ("0.0.0.0", True, True)
    told = refusal(env={"MCM_ENGINE": "swarm", "MCM_SESSION_TOKENS": "off"})
    assert "engine swarm would let other machines in without asking who they are" in told


def test_yaml_reads_on_and_off_as_truth(file: Path) -> None:
    file.write_text("session_tokens: on\n")
    assert load(file, {}, {}).settings.session_tokens == "on"


def test_the_two_port_ranges_may_touch() -> None:
    assert load(None, {"MCM_MAX_USERS": "999"}, {}).settings.max_users == 999


# ---------------------------------------------------------------- other homes of the desired state


def test_a_branch_of_git_is_named_in_the_file(file: Path) -> None:
    file.write_text("desired_state:\n  git: {url: 'https://ann:pw@git.example.org/lab.git', write: true}\n")
    settings = load(file, {}, {}).settings
    assert settings.desired_state == ElsewhereSettings(
        git=GitSettings(
            url="https://ann:pw@git.example.org/lab.git",
            branch="main",
            path="desired_state.yaml",
            interval=30,
            write=True,
        )
    )
    assert settings.desired_state_file is None
    assert "pw" not in settings.model_dump_json()
    assert settings.desired_state_text == "desired_state.yaml on branch main of https://***@git.example.org/lab.git"


def test_a_database_is_named_in_the_file_and_a_path_still_wins_in_the_environment(file: Path) -> None:
    file.write_text("desired_state: {sqlite: wish.sqlite3}\n")
    assert load(file, {}, {}).settings.desired_state == ElsewhereSettings(sqlite=file.parent / "wish.sqlite3")
    plain = load(file, {"MCM_DESIRED_STATE": "/srv/wish.yaml"}, {}).settings
    assert plain.desired_state == plain.desired_state_file == Path("/srv/wish.yaml")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("desired_state: {}\n", "line 1: desired_state must be a path, or a mapping with either `git` or `sqlite`"),
        ("desired_state:\n  sqlite: a\n  git: {url: /srv/x.git}\n", "either `git` or `sqlite`"),
        ("desired_state:\n  gti: {}\n", "line 2: desired_state.gti is not a setting; did you mean git?"),
        ("desired_state:\n  git:\n    branch: x\n", "desired_state.git.url is missing"),
        ("desired_state:\n  git:\n    url: /srv/x.git\n    brunch: x\n", "line 4: desired_state.git.brunch is not a"),
        ("desired_state:\n  git: {url: 'ext::sh -c x'}\n", "line 2: desired_state.git.url cannot be 'ext::sh -c x'"),
        ("desired_state:\n  git: {url: -u}\n", "desired_state.git.url cannot be '-u'"),
        ("desired_state:\n  git: {url: relative/x.git}\n", "desired_state.git.url cannot be"),
        ("desired_state:\n  git: {url: /x, branch: --all}\n", "desired_state.git.branch cannot be '--all'"),
        ("desired_state:\n  git: {url: /x, branch: a..b}\n", "desired_state.git.branch cannot be"),
        ("desired_state:\n  git: {url: /x, path: ../x}\n", "desired_state.git.path cannot be '../x'"),
        ("desired_state:\n  git: {url: /x, path: .git/config}\n", "desired_state.git.path cannot be"),
        ("desired_state:\n  git: {url: /x, interval: 0}\n", "desired_state.git.interval cannot be 0"),
        ("desired_state: [a]\n", "line 1: desired_state cannot be"),
        ("desired_state: 7\n", "line 1: desired_state cannot be 7"),
    ],
)
def test_a_fault_of_another_home_is_told_with_its_line(file: Path, text: str, sentence: str) -> None:
    file.write_text(text)
    assert sentence in refusal(file)


@pytest.mark.parametrize(
    "url",
    ["/srv/lab.git", "file:///srv/lab.git", "git@example.org:lab.git", "ssh://git@example.org:22/lab.git"],
)
def test_the_ways_to_a_remote(url: str) -> None:
    assert GitSettings(url=url).url == url


# ---------------------------------------------------------------- the policy


def test_without_a_policy_everything_is_allowed(file: Path) -> None:
    file.write_text("policy: {images: ['*'], per_session: {cpus: null}, total: {}}\n")
    assert load(None, {}, {}).settings.policy.rules == load(file, {}, {}).settings.policy.rules == Policy()


def test_a_policy_is_set_in_the_file(file: Path) -> None:
    file.write_text(
        "policy:\n  images: ['matlab-session:*']\n  per_session: {cpus: 4, memory: 8g, shm: 4g}\n"
        "  total: {sessions: 40, cpus: 99.5, memory: 160g}\n"
    )
    rules = load(file, {}, {}).settings.policy.rules
    assert rules == Policy(("matlab-session:*",), 4, 8 << 30, 4 << 30, Load(40, 99.5, 160 << 30))


PROFILES = "profiles:\n  standard: {}\n  large:\n    memory: 16g\n    image: lab/matlab:1\n    shm: 8g\n    cpus: 8\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("policy: 5\n", "{file} line 1: policy cannot be 5: it must be a mapping with any of"),
        ("policy:\n  image: [a]\n", "{file} line 2: policy.image is not a setting; did you mean images?"),
        ("policy:\n  images: []\n", "{file} line 2: policy.images cannot be []: it must be a list of at least one"),
        ("policy:\n  images: ['a b']\n", "{file} line 2: policy.images.0 cannot be 'a b': it must be a list of"),
        ("policy:\n  images: lab\n", "{file} line 2: policy.images cannot be 'lab'"),
        ("policy:\n  total:\n    cpu: 1\n", "{file} line 3: policy.total.cpu is not a setting; did you mean cpus?"),
        ("policy:\n  total: {sessions: yes}\n", "policy.total.sessions cannot be True: it must be a whole number from"),
        ("policy:\n  total: {sessions: 4.5}\n", "policy.total.sessions cannot be 4.5"),
        ("policy:\n  per_session:\n    memory: 9x\n", "line 3: policy.per_session.memory cannot be '9x': it must be a"),
        (
            PROFILES + "policy:\n  per_session:\n    memory: 8g\n",
            "{file} line 4; {file} line 10: profile large has memory 16g, and the policy allows a session at most 8g",
        ),
        (
            PROFILES + "policy:\n  per_session: {cpus: 7.5}\n",
            "{file} line 7; {file} line 9: profile large has cpus 8, and the policy allows a session at most 7.5",
        ),
        (
            PROFILES + "policy:\n  images: ['matlab-session:*', 'lab/matlab:2']\n",
            "{file} line 5; {file} line 9: profile large has image lab/matlab:1, and the policy allows "
            "matlab-session:*, lab/matlab:2",
        ),
        (
            "engine: swarm\nswarm_volume:\n  type: none\n  options: bind\n  device: /srv/matlab\n",
            "{file} line 3: swarm_volume of type none may be another on each node: users would not find their data",
        ),
        (
            "swarm_volume: {options: addr=10.0.0.9, device: ':/export'}\n",
            "{file} line 1: swarm_volume is set, and engine is docker: only a swarm has nodes",
        ),
        (
            "engine: swarm\nswarm_fence: [ipmi-off]\n",
            "{file} line 2: swarm_fence begins with ipmi-off: it must be a program's path",
        ),
        (
            "profiles:\n  standard: {node_labels: {pool: gpu}}\n",
            "{file} line 2: profile standard has node_labels, and engine is docker: only a swarm has nodes",
        ),
        (
            "policy:\n  per_session: {shm: 1g}\n",
            "{file} line 2: profile standard has shm 4g, and the policy allows a session at most 1g",
        ),
    ],
)
def test_a_fault_of_the_policy_and_of_a_profile_that_breaks_it_is_told_with_its_lines(
    file: Path, text: str, sentence: str
) -> None:
    file.write_text(text)
    told = refusal(file)
    assert sentence.format(file=file) in told
    assert "\n" not in told


def test_no_variable_and_no_flag_sets_the_policy() -> None:
    assert environment_name("policy") is None
    assert refusal(env={"MCM_POLICY": "{}"}).startswith("environment: MCM_POLICY is not a setting")


# ---------------------------------------------------------------- a swarm


def test_what_concerns_a_swarm_is_read_and_its_files_lie_beside_the_settings(file: Path) -> None:
    file.write_text(
        "engine: swarm\n"
        "swarm_volume: {options: 'addr=10.0.0.9,rw', device: ':/export/matlab'}\n"
        "swarm_nodes: {ca: ca.pem, cert: /etc/mcm/cert.pem, key: key.pem}\n"
        "swarm_fence: [/usr/local/sbin/power-off, --now]\n"
        "profiles:\n  standard: {node_labels: {pool: cpu}}\n"
    )
    settings = load(file, {}, {}).settings
    assert settings.swarm_volume is not None
    assert settings.swarm_volume.export == Export("nfs", "addr=10.0.0.9,rw", ":/export/matlab")
    nodes = settings.swarm_nodes
    assert nodes is not None
    assert (nodes.ca, nodes.cert, nodes.key, nodes.port) == (
        file.parent / "ca.pem",
        Path("/etc/mcm/cert.pem"),
        file.parent / "key.pem",
        2376,
    )
    assert (settings.swarm_fence, settings.swarm_fence_seconds) == (["/usr/local/sbin/power-off", "--now"], 60)
    assert settings.profiles["standard"].profile.node_labels == {"pool": "cpu"}


def test_what_is_one_nodes_own_is_taken_where_the_operator_says_that_it_is_shared(file: Path) -> None:
    file.write_text("engine: swarm\nswarm_volume: {type: none, options: bind, device: /srv/matlab, shared: true}\n")
    volume = load(file, {}, {}).settings.swarm_volume
    assert volume is not None
    assert volume.export == Export("none", "bind", "/srv/matlab")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("swarm_nodes: {ca: a, cert: b}\n", "swarm_nodes.key is missing: it must be a path"),
        ("swarm_nodes: {ca: a, cert: b, kye: c}\n", "swarm_nodes.kye is not a setting; did you mean key?"),
        ("swarm_nodes: {ca: a, cert: b, key: c, port: 0}\n", "swarm_nodes.port cannot be 0: it must be a whole number"),
        ("swarm_volume: {options: rw}\n", "swarm_volume.device is missing"),
        ("swarm_volume: {options: rw, device: ':/x/'}\n", "swarm_volume.device cannot be ':/x/'"),
        ("swarm_fence: /usr/sbin/off\n", "swarm_fence cannot be '/usr/sbin/off': it must be a list of words"),
        ("profiles:\n  standard: {node_labels: {'a b': c}}\n", "node_labels"),
    ],
    ids=str,
)
def test_a_fault_in_what_concerns_a_swarm_is_told(file: Path, text: str, sentence: str) -> None:
    file.write_text(f"engine: swarm\n{text}")
    assert sentence in refusal(file)


# ---------------------------------------------------------------- webhooks

HOOK = "https://me:pw-of-mine@hooks.example.org:8443/services/T0/b0-of-mine?key=q-of-mine"


def test_a_webhook_is_read_and_its_secret_lies_beside_the_file(file: Path) -> None:
    file.write_text(
        f"webhooks:\n  chat: {{url: '{HOOK}', format: slack, kinds: [action, brake], reasons: [Held]}}\n"
        "  platform: {url: 'http://10.0.0.5/mcm', secret_file: keys/hook}\n"
    )
    chat, platform = load(file, {}, {}).settings.webhooks.values()
    assert (chat.url, chat.format, chat.kinds, chat.reasons) == (HOOK, "slack", ["action", "brake"], ["Held"])
    assert (chat.secret_file, platform.format, platform.kinds) == (None, "json", [])
    assert platform.secret_file == file.parent / "keys/hook"


def test_of_a_webhooks_address_only_the_host_is_ever_shown(file: Path) -> None:
    file.write_text(f"webhooks:\n  chat: {{url: '{HOOK}'}}\n")
    settings = load(file, {}, {}).settings
    assert settings.model_dump(mode="json")["webhooks"]["chat"]["url"] == "https://hooks.example.org:8443/…"
    assert "of-mine" not in settings.model_dump_json() + repr(settings)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            f"webhooks:\n  chat:\n    url: '{HOOK} '\n",
            "line 3: webhooks.chat.url cannot be used as it is: it must be an",
        ),
        (f"webhooks:\n  chat: {{url: 'ftp{HOOK[5:]}'}}\n", "webhooks.chat.url cannot be used as it is"),
        ("webhooks:\n  chat: {url: 'https://host:pw-of-mine/'}\n", "webhooks.chat.url cannot be used as it is"),
        (
            f"webhooks:\n  chat: {HOOK}\n",
            "line 2: webhooks.chat cannot be used as it is: it must be a mapping of names",
        ),
        (f"webhooks: [{{url: '{HOOK}'}}]\n", "webhooks cannot be used as it is: it must be a mapping of names"),
        ("webhooks:\n  chat: {format: slack}\n", "webhooks.chat.url is missing: it must be an address such as"),
        (
            "webhooks:\n  chat: {url: 'http://h/', knids: []}\n",
            "webhooks.chat.knids is not a setting; did you mean kinds?",
        ),
        (
            "webhooks:\n  chat: {url: 'http://h/', kinds: [webhook]}\n",
            "cannot be 'webhook': it must be a list of `wish`",
        ),
        (
            "webhooks:\n  chat: {url: 'http://h/', format: xml}\n",
            "format cannot be 'xml': it must be `json` or `slack`",
        ),
        ("webhooks:\n  'my chat': {url: 'http://h/'}\n", "webhooks.my chat cannot be used as it is"),
    ],
)
def test_a_fault_of_a_webhook_is_told_without_its_address(file: Path, text: str, sentence: str) -> None:
    file.write_text(text)
    told = refusal(file)
    assert sentence in told
    assert "of-mine" not in told


def test_no_variable_sets_webhooks_where_others_could_read_them() -> None:
    assert environment_name("webhooks") is None


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("a secret of mine that is long\n", b"a secret of mine that is long"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")),
        ("short", None),
        ("", None),
        ("whsec_not Base64, and yet rather long", None),
        ("whsec_c2hvcnQ=", None),
    ],
)
def test_a_webhooks_secret_is_letters_or_what_standard_webhooks_writes(
    tmp_path: Path, text: str, key: bytes | None
) -> None:
    secret = tmp_path / "secret"
    secret.write_text(text)
    secret.chmod(0o640)
    if key is not None:
        assert webhook_key(secret) == key
        secret.chmod(0o644)
    with pytest.raises(SettingsInvalid, match="secret") as caught:
        webhook_key(secret)
    assert not text.strip() or text.strip() not in str(caught.value)


def test_a_webhooks_secret_that_is_not_there_is_told_before_the_start(tmp_path: Path) -> None:
    with pytest.raises(SettingsInvalid, match="cannot be read: No such file"):
        webhook_key(tmp_path / "none")


# ---------------------------------------------------------------- what is written about them


@pytest.mark.parametrize(("page", "language"), [("settings.md", "en"), ("settings.zh-CN.md", "zh")])
def test_the_reference_page_is_current(page: str, language: Literal["en", "zh"]) -> None:
    assert (ROOT / "docs" / page).read_text() == reference_page(language), (
        f"run `matlabctl settings --reference {language} > docs/{page}`"
    )


def test_the_example_file_stands_at_the_defaults() -> None:
    example = ROOT / "controller.example.yaml"
    loaded = load(example, {}, {})
    given = set(yaml.safe_load(example.read_text()))
    default = load(None, {"MCM_DESIRED_STATE": str(ROOT / "desired_state.yaml")}, {}).settings
    assert loaded.settings == default
    assert {name for name, origin in loaded.origins.items() if origin != "default"} == given
