"""The Docker engine, the pages, the images, and then what all this was for: the controller, or the tests.

Run by setup_venv.py with the Python of .venv. Everything goes through the engine's API, so no `docker` command is
needed. An engine that answers is used as it is; nothing of it but our own image is changed.
"""

from __future__ import annotations

import ctypes.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import docker
import psutil
from docker.context import ContextAPI
from docker.errors import APIError, DockerException, ImageNotFound
from docker.utils.build import create_archive, exclude_paths
from requests.exceptions import RequestException
from setup_page import SESSION_PAGE, hash_of, is_built, provide_pages
from setup_steps import (
    ROOT,
    SetupFailed,
    Step,
    as_root,
    build_image,
    can_install,
    install,
    may_be_root,
    one_at_a_time,
    run,
    step,
    telling_failures,
)

from controller.cli.flags import load_settings
from controller.cli.service import MALLOC
from controller.errors import SettingsInvalid

BASE = ("debian", "bookworm-slim")
SESSION = "matlab-session:octave"
FULL_SESSION = "matlab-session:octave-full"
PACKAGES = "control signal statistics image io optim struct"
"""Of Octave, in the full image."""
CONTEXT = ROOT / "matlab"
DOCKERFILE = "Dockerfile.octave"
CONTEXT_HASH = "mcm.context-hash"
"""Label of the session image: from what exactly it was built."""

OWN_ENGINE = "unix:///var/run/docker.sock"
JOIN_THE_GROUP = (
    "add yourself to its group with `sudo usermod -aG docker $USER`, log in again, and repeat this command."
)

ENGINE_LOG = Path("/var/log/dockerd.log")
"""Of a dockerd that we start by hand; systemd keeps the log of its own."""
ENGINE_START_SECONDS = 60
PULL_SILENCE_SECONDS = 30
PULL_SECONDS = 600


def main(goal: str, arguments: list[str]) -> None:
    with one_at_a_time():
        provide(goal)
    match goal:
        case "run":
            os.environ |= MALLOC
            become(goal, "Controller", str(ROOT / ".venv" / "bin" / "matlabctl"), "serve", *arguments)
        case "test":
            with step(goal, "Test tools") as now:
                provide_test_tools(now)
            # three files at a time on two processors: half of the time is waiting for containers; long files come first
            at_a_time = ("-n", "3", "--dist", "loadfile", "--no-loadscope-reorder")
            become(goal, "Tests", sys.executable, "-m", "pytest", *at_a_time, *arguments)
        case "bench":
            os.environ |= MALLOC  # the controller is measured as it is run
            become(goal, "Benchmark", sys.executable, "-m", "bench", *arguments)


def provide(goal: str) -> None:
    """The engine, the pages and the images."""
    with step(goal, "Docker engine") as now:
        engine = provide_engine(now)
    tag, packages = (FULL_SESSION, PACKAGES) if goal == "image-full" else (SESSION, "")
    built_from = image_label(engine, tag, CONTEXT_HASH)
    current = is_built(SESSION_PAGE) and built_from == hash_of(CONTEXT, context_files())
    with step(goal, "Base image") as now:
        provide_base(engine, now, needed=not current)
    with step(goal, "Pages") as now:
        provide_pages(engine, ":".join(BASE), now)
    with step(goal, "Session image") as now:
        files = context_files()
        context_hash = hash_of(CONTEXT, files)
        if built_from == context_hash:
            now.done(f"{tag} is up to date")
        else:
            with tempfile.TemporaryFile() as archive:
                create_archive(str(CONTEXT), files=files, fileobj=archive)
                labels = {CONTEXT_HASH: context_hash}
                build_session_image(engine, now, archive, tag=tag, labels=labels, buildargs={"PACKAGES": packages})
    engine.close()


def become(goal: str, title: str, program: str, *arguments: str) -> None:
    """The last step: go on as that program, so that signals reach it directly and its exit code is ours."""
    with step(goal, title) as now:
        now.done(" ".join([Path(program).name, *arguments]))
    os.execv(program, [program, *arguments])


# ---------------------------------------------------------------- the engine


def provide_engine(now: Step) -> docker.DockerClient:
    """The engine that the settings, the docker context or the default socket lead to; made to run if need be.

    Raises:
        SetupFailed: there is none, and we may not or cannot make one.
    """
    named = named_engine()
    if named:
        os.environ["DOCKER_HOST"] = named  # for the controller and the tests, too: they read no docker context
    engine = reach()
    if isinstance(engine, docker.DockerClient):
        now.done(f"{engine.version()['Version']} answers at {named or OWN_ENGINE}")
        return engine
    if named:
        raise SetupFailed(
            f"the Docker engine at {named} does not answer. It is named by DOCKER_HOST, controller.yaml or your docker "
            "context: start it, or name none, so that this machine's own is used.",
            engine,
        )
    socket = Path(urlsplit(OWN_ENGINE).path)
    if socket.exists() and not os.access(socket, os.W_OK):
        raise SetupFailed(f"a Docker engine is there, but you may not use its socket {socket}: {JOIN_THE_GROUP}")
    verb = "started"
    if not dockerd():
        if not can_install():
            raise SetupFailed(
                "no Docker engine answers, and installing one needs Debian or Ubuntu and root (or sudo): install "
                "Docker, start it, and repeat this command."
            )
        advice = "apt-get cannot install Docker; mend what it complains of, or install it by hand."
        install(now, ["docker.io", "ca-certificates"], advice)
        verb = "installed and started"
    start_engine(now)
    engine = reach()
    if not isinstance(engine, docker.DockerClient):  # root started it for us
        raise SetupFailed(f"the Docker engine runs now, but you may not use it yet: {JOIN_THE_GROUP}", engine)
    now.done(f"{verb} dockerd {engine.version()['Version']}")
    return engine


def named_engine() -> str:
    """Address of the engine that the settings or the docker context name; empty for this machine's own."""
    settings = load_settings(None, {}).settings
    address = settings.docker_host or str(ContextAPI.kwargs_from_context().get("base_url", ""))
    return "" if address == OWN_ENGINE else address


def reach() -> docker.DockerClient | str:
    """A client of the engine, or why there is none."""
    try:
        engine = docker.from_env(timeout=30)
        engine.ping()
    except (DockerException, RequestException) as error:
        return str(error)
    return engine


def dockerd() -> str | None:
    """Where dockerd is; the PATH of ordinary users leaves its folder out."""
    return shutil.which("dockerd", path=os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin")


def start_engine(now: Step) -> None:
    """Start dockerd, by systemd where that runs the machine, and wait until it answers.

    Raises:
        SetupFailed: it does not come up.
    """
    if not may_be_root():
        raise SetupFailed("Docker is installed but does not run: start it as root, and repeat this command.")
    now.doing("starting dockerd")
    if Path("/run/systemd/system").is_dir():
        run(now, as_root("systemctl", "start", "docker"), "systemd cannot start Docker; see `journalctl -u docker`.")
        pid = None
    else:
        pid = start_by_hand()
    deadline = time.monotonic() + ENGINE_START_SECONDS
    while not answers_or_forbids():
        if time.monotonic() > deadline or (pid and gone(pid)):
            raise SetupFailed("dockerd does not come up; see above, or its log.", "" if pid is None else complaints())
        time.sleep(0.1)


def start_by_hand() -> int:
    """Start dockerd in a session of its own; its process id.

    Ctrl-C of `make run` is to end the controller, not the engine and every container with it.
    """
    remove_stale_pid_files()
    in_background = f"setsid '{dockerd()}' >{ENGINE_LOG} 2>&1 </dev/null & echo $!"
    started = subprocess.run(as_root("sh", "-c", in_background), capture_output=True, text=True, check=False)
    if started.returncode != 0:
        raise SetupFailed("dockerd cannot be started; see above.", started.stderr)
    return int(started.stdout)


def remove_stale_pid_files() -> None:
    """A killed dockerd leaves these, and the next one refuses to start once their numbers are others' processes."""
    for name, file in (("dockerd", "/var/run/docker.pid"), ("containerd", "/var/run/docker/containerd/containerd.pid")):
        try:
            pid = int(Path(file).read_text())
        except (OSError, ValueError):
            continue
        if gone(pid) or psutil.Process(pid).name() != name:
            subprocess.run(as_root("rm", "-f", file), capture_output=True, check=False)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def complaints() -> str:
    """What dockerd logged, without its many words on what went well."""
    try:
        lines = ENGINE_LOG.read_text(errors="replace").splitlines()
    except OSError as error:
        return str(error)
    return "\n".join(line for line in lines if "level=info" not in line)


def answers_or_forbids() -> bool:
    """The engine is up: it answers, or its socket is there and closed to us."""
    answer = reach()
    return isinstance(answer, docker.DockerClient) or "Permission denied" in answer


# ---------------------------------------------------------------- the images


def provide_base(engine: docker.DockerClient, now: Step, needed: bool) -> None:
    """The image that ours is built on: as it is, pulled, or made from Debian's packages under the same name.

    Raises:
        SetupFailed: none of the three.
    """
    name = ":".join(BASE)
    if has_image(engine, name):
        now.done(f"{name} is there")
    elif not needed:
        now.done("not needed")
    else:
        why_not = pull(engine, now)
        if not why_not:
            now.done(f"pulled {name}")
            return
        now.doing(f"cannot pull it ({why_not})")
        bootstrap(engine, now)
        now.done(f"made {name} from Debian's packages")


def pull(engine: docker.DockerClient, now: Step) -> str:
    """Pull the base image; why not, or empty."""
    repository, tag = BASE
    now.doing(f"pulling {repository}:{tag}")
    deadline = time.monotonic() + PULL_SECONDS
    impatient = docker.from_env(timeout=PULL_SILENCE_SECONDS)
    try:
        for report in impatient.api.pull(repository, tag=tag, stream=True, decode=True):
            if "error" in report:
                return str(report["error"]).strip()
            if time.monotonic() > deadline:
                return f"not done after {PULL_SECONDS} s"
            now.passing(f"{report.get('status', '')} {report.get('progress', '')}")
    except APIError as error:
        return str(error.explanation)
    except RequestException as error:
        return str(error)
    finally:
        impatient.close()
    return "" if has_image(engine, f"{repository}:{tag}") else "the engine did not say why"


def bootstrap(engine: docker.DockerClient, now: Step) -> None:
    """Make the base image without any registry: a minimal Debian by mmdebstrap, imported as a file.

    Raises:
        SetupFailed: this is no Debian, or its packages cannot be reached either.
    """
    repository, tag = BASE
    if not can_install():
        raise SetupFailed(
            f"the image {repository}:{tag} can neither be pulled nor made here (that needs Debian or Ubuntu, and root "
            f"or sudo): bring it with `docker load`, or let the engine reach its registry."
        )
    advice = f"{repository}:{tag} cannot be made; mend what is complained of above, or bring it with `docker load`."
    if not shutil.which("mmdebstrap"):
        install(now, ["mmdebstrap", "debian-archive-keyring"], advice)
    now.doing("making a minimal Debian with mmdebstrap")
    left_out = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("doc", "info", "locale", "man")]
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "base.tar"
        run(now, as_root("mmdebstrap", "--variant=minbase", *left_out, tag.removesuffix("-slim"), archive), advice)
        now.doing("importing it")
        engine.api.import_image_from_file(str(archive), repository=repository, tag=tag, changes=['CMD ["bash"]'])


def context_files() -> list[str]:
    """What the session image is built from, relative to its folder."""
    ignore = CONTEXT / ".dockerignore"
    patterns = ["**/__pycache__", *(ignore.read_text().splitlines() if ignore.exists() else ())]
    return sorted(path for path in exclude_paths(str(CONTEXT), patterns, DOCKERFILE) if (CONTEXT / path).is_file())


def build_session_image(engine: docker.DockerClient, now: Step, archive: IO[bytes], tag: str, **options: Any) -> None:
    """Build a session image, and drop those that it replaces unless a container still uses them.

    Raises:
        SetupFailed: the build failed; with the end of its output.
    """
    now.doing(f"building {tag} from {CONTEXT.name}/")
    advice = "the session image cannot be built; the step above failed."
    build_image(engine, now, archive, tag, advice, dockerfile=DOCKERFILE, **options)
    drop_replaced_images(engine)
    now.done(f"built {tag}, {engine.images.get(tag).attrs['Size'] / 1e6:.0f} MB")


def drop_replaced_images(engine: docker.DockerClient) -> None:
    """Remove what earlier builds made and nothing uses any more."""
    for image in engine.images.list(filters={"label": CONTEXT_HASH, "dangling": True}):
        try:
            engine.images.remove(str(image.id))
        except APIError:
            continue  # a session still runs on it


def has_image(engine: docker.DockerClient, name: str) -> bool:
    try:
        engine.images.get(name)
    except ImageNotFound:
        return False
    return True


def image_label(engine: docker.DockerClient, name: str, label: str) -> str | None:
    try:
        return engine.images.get(name).labels.get(label)
    except ImageNotFound:
        return None


# ---------------------------------------------------------------- for the tests


def provide_test_tools(now: Step) -> None:
    """What some tests use beside Python; without it they are skipped."""
    missing = [tool for tool in ("chromium", "curl", "jq", "rsync") if not shutil.which(tool)]
    if not ctypes.util.find_library("atomic"):
        missing.append("libatomic1")  # of the browser's driver
    if not missing:
        now.done("all there")
    elif can_install():
        install(now, missing, f"apt-get cannot install {', '.join(missing)}; mend what it complains of.")
        now.done(f"installed {' '.join(missing)}")
    else:
        now.done(f"no {', '.join(missing)} here, and no right to install: the tests that need it are skipped")


if __name__ == "__main__":
    with telling_failures():
        try:
            main(sys.argv[1], sys.argv[2:])
        except (DockerException, RequestException) as error:
            raise SetupFailed("the Docker engine did not do what was asked of it; see above.", str(error)) from error
        except SettingsInvalid as error:
            raise SetupFailed("the settings are not right; see above.", str(error)) from error
