"""`doctor`: looks at this machine as the controller would find it, and says of each fault how to mend it.

Works with and without a controller, and changes nothing.
"""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import socket
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import click
from psutil import virtual_memory

from controller import main
from controller.cli.api import api_here
from controller.cli.failures import Refused
from controller.cli.flags import config_flag, load_settings, output_flag
from controller.cli.hard_quota import hard_quota_of
from controller.cli.output import Row, print_data, print_table
from controller.cli.users import spelled
from controller.cli.words import BAD, GOOD, WAITING, number
from controller.disk_usage import nearest
from controller.engine import EngineInfo
from controller.engine.docker import DockerEngine
from controller.engine.ports import listener
from controller.engine.runs import suits
from controller.engine.swarm import SwarmEngine
from controller.errors import EngineError, SettingsInvalid, WishInvalid
from controller.model import Container, Machine, Phase
from controller.settings import Settings
from controller.sites import read_wish
from controller.sizes import bytes_size, show_size

LITTLE_DISK = 5 * 1024**3
DOCKER_SOCKET = "unix:///var/run/docker.sock"
"""Where the engine is looked for that nothing names."""
INTO_ROOTLESS = 'nsenter -U -n --preserve-credentials -t "$(cat "$XDG_RUNTIME_DIR/docker.pid")"'
"""To where a rootless engine has its network: there its user may set rules."""
EPHEMERAL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
CLOCK_APART = timedelta(seconds=2)

Level = Literal["ok", "note", "fault"]


@dataclass(frozen=True, slots=True)
class Finding:
    what: str
    level: Level
    found: str
    mend: str = ""


@click.command("doctor")
@config_flag
@output_flag
def doctor_command(config: Path | None, output: str) -> None:
    """Check this machine: engine, images, ports, folders, disk, cgroups, clock, desired state, the controller itself.

    Each fault comes with its mend. Nothing is changed. Works without a controller. The exit code is 1 if there is a
    fault; a note is nothing to worry about by itself.

    \b
    Examples:
      matlabctl doctor
      matlabctl doctor --config /etc/matlab-container-manager.yaml
      matlabctl doctor -o json | jq '.findings[] | select(.level != "ok")'
    """
    settings = load_settings(config, {}).settings
    findings = list(_findings(settings))
    faults = [each for each in findings if each.level == "fault"]
    if output != "table":
        print_data({"healthy": not faults, "findings": [asdict(each) for each in findings]}, output)
    else:
        print_table(("", "", ""), [_row(each) for each in findings])
        click.echo()
        click.echo("All is well." if not faults else f"{number(len(faults), 'fault')}; the mend stands below each.")
    sys.exit(1 if faults else 0)


def _row(finding: Finding) -> Row:
    colour = {"ok": GOOD, "note": WAITING, "fault": BAD}[finding.level]
    mend = f"\n→ {finding.mend}" if finding.mend else ""
    return (finding.what, (finding.level, colour), f"{finding.found}{mend}")


def _findings(settings: Settings) -> Iterator[Finding]:
    running = _controller(settings)
    yield running
    yield _lock(settings, running.level == "ok")
    yield _desired_state(settings)
    yield folder_finding("state folder", settings.state_dir)
    yield folder_finding("user data", settings.data_root)
    yield from _disk(settings)
    quota = hard_quota_of(nearest(settings.data_root))
    yield Finding("hard quota", "ok" if quota.ready else "note", quota.found, quota.mend)
    yield from asyncio.run(engine_findings(settings))
    yield from _lent_ports(settings)
    yield _memory(settings)
    yield _cgroups()


async def engine_findings(settings: Settings, held: Collection[int] = ()) -> list[Finding]:
    """The engine with all that sessions want of it. `held`: users whose ports a session of another engine has."""
    findings, ours = await (_swarm(settings) if settings.engine == "swarm" else _engine(settings))
    if ours is None:  # whose ports they are cannot be told without the engine
        return findings
    running = {user_id for user_id, found in ours.items() if any(each.phase is Phase.RUNNING for each in found)}
    return [*findings, _ports(settings, running | set(held))]


# ---------------------------------------------------------------- the controller


def _controller(settings: Settings) -> Finding:
    try:
        status = api_here(settings).get("/v1/status", "instance")
        who = f"{status['version']} answers at {settings.api_url}, instance {status['instance']}"
        if status["instance"] == settings.instance:
            return Finding("controller", "ok", who)
        mend = "Set MCM_INSTANCE and MCM_API_PORT to those of the controller that is meant."
        return Finding("controller", "fault", f"{who}, and the settings here say {settings.instance}", mend)
    except Refused as error:
        if error.status == 401:
            mend = "Run this as the controller's user, or set MCM_TOKEN."
            return Finding("controller", "ok", f"what answers at {settings.api_url} wants a token", mend)
    except click.ClickException:  # nothing answers, or another program
        pass
    if settings.api_socket is None and not _bindable(settings.api_host, settings.api_port):
        other = listener(settings.api_port) or "another process"
        mend = "End what listens there, or set MCM_API_PORT to another port."
        return Finding("controller", "fault", f"port {settings.api_port} is taken by {other}", mend)
    mend = "`matlabctl serve` runs one here, `matlabctl service install` for good."
    return Finding("controller", "note", f"none answers at {settings.api_url}", mend)


def _lock(settings: Settings, answers: bool) -> Finding:
    try:
        process = _holder(settings.state_dir / "lock")
    except PermissionError:
        return Finding("lock", "note", f"{settings.state_dir} is another user's", "Run this as the controller's user.")
    if process is None:
        return Finding("lock", "ok", f"no controller holds {settings.state_dir}")
    held = f"process {process} holds {settings.state_dir}"
    if answers:
        return Finding("lock", "ok", held)
    mend = "It is starting, hangs, or listens elsewhere: look at its log, or end it; sessions stay."
    return Finding("lock", "fault", f"{held}, and no controller answers", mend)


def _holder(lock: Path) -> str | None:
    """The process that holds the lock, as the kernel lists it; to try it could keep a controller from starting."""
    try:
        inode, process = str(lock.stat().st_ino), lock.read_text().strip()
    except (FileNotFoundError, NotADirectoryError):
        return None
    held = (line.split() for line in Path("/proc/locks").read_text().splitlines())
    return process if any("FLOCK" in words and words[-3].endswith(f":{inode}") for words in held) else None


def _desired_state(settings: Settings) -> Finding:
    file = settings.desired_state_file
    if file is None:
        mend = "`matlabctl status` tells how that stands."
        return Finding("desired state", "note", f"kept elsewhere: {settings.desired_state_text}", mend)
    try:
        text = file.read_bytes()
    except FileNotFoundError:
        return Finding(
            "desired state", "note", f"{file} is not there yet", "The first start makes it, with nobody in it."
        )
    except OSError as error:
        return Finding("desired state", "fault", f"{file}: {error.strerror}", "Let the controller's user read it.")
    try:
        state = read_wish(text, settings)
    except WishInvalid as error:
        places = "; ".join(str(each) for each in error.problems[:3])
        return Finding("desired state", "fault", f"{file}: {places}", "Mend the file; `matlabctl validate` checks it.")
    if not os.access(file.parent, os.W_OK):
        mend = "Let the controller's user write there: API calls and generations are written to it."
        return Finding("desired state", "fault", f"the folder {file.parent} cannot be written", mend)
    return Finding("desired state", "ok", f"{file}: {number(len(state.users), 'user')}")


# ---------------------------------------------------------------- folders, disk, memory


def folder_finding(what: str, folder: Path) -> Finding:
    there = nearest(folder)
    if not there.is_dir():
        return Finding(what, "fault", f"{there} is not a folder", "Move it away, or set another path.")
    if os.statvfs(there).f_flag & os.ST_RDONLY:
        return Finding(what, "fault", f"{there} is on a file system that is read-only", "Remount it for writing.")
    if not os.access(there, os.W_OK | os.X_OK):
        mend = f"Give it to the controller's user: chown {os.getuid()}:{os.getgid()} {there}"
        return Finding(what, "fault", f"{there} cannot be written by this user", mend)
    return Finding(what, "ok", str(folder) if there == folder else f"{folder}, which the first start makes")


def _disk(settings: Settings) -> Iterator[Finding]:
    folders = {"user data": settings.data_root, "state": settings.state_dir}
    by_device = {nearest(folder).stat().st_dev: (what, folder) for what, folder in reversed(folders.items())}
    for what, folder in by_device.values():
        usage = shutil.disk_usage(nearest(folder))
        free = f"{bytes_size(usage.free)} of {bytes_size(usage.total)} free where the {what} is"
        little = usage.free < LITTLE_DISK
        mend = "Make room: a full disk stops writes of the desired state and of users." if little else ""
        yield Finding("disk", "fault" if usage.free < LITTLE_DISK // 10 else "note" if little else "ok", free, mend)


def _memory(settings: Settings) -> Finding:
    total = virtual_memory().total
    profile = settings.profiles[settings.default_profile]
    fits = int(total // profile.memory)
    found = (
        f"{total / 1024**3:.1f} GiB: {number(fits, 'session')} of {show_size(profile.memory)} if all use their limit"
    )
    return Finding("memory", "ok" if fits else "note", found, "" if fits else "Lower the profile's memory.")


def _cgroups() -> Finding:
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        there = set(Path("/sys/fs/cgroup/cgroup.controllers").read_text().split())
        version, missing = "v2", {"cpu", "memory", "pids"} - there
    else:
        version, missing = (
            "v1",
            {each for each in ("cpu", "memory", "pids") if not Path("/sys/fs/cgroup", each).is_dir()},
        )
    if missing:
        mend = "Without them limits do not hold; turn them on at boot (on a Raspberry Pi: cgroup_enable=memory)."
        return Finding("cgroups", "fault", f"{version}, without {', '.join(sorted(missing))}", mend)
    return Finding("cgroups", "ok", f"{version}, with cpu, memory and pids")


# ---------------------------------------------------------------- the engine


async def _engine(settings: Settings) -> tuple[list[Finding], Mapping[int, tuple[Container, ...]] | None]:
    """What is to be said of it, and our containers by user; `None` where it does not answer."""
    engine = DockerEngine(settings.docker_host, settings.instance, settings.container_prefix, 1, 1, settings.reach)
    try:
        info = await engine.info()
        asked_at = datetime.now(UTC)
        findings = [Finding("engine", "ok", f"Docker {info.version}"), _clock(info.now - asked_at)]
        if info.unlimited:
            findings.append(_unlimited(info))
        if info.rootless:
            findings.append(_rootless(settings))
        images: dict[str, list[str]] = {}
        for name, profile in settings.profiles.items():
            images.setdefault(profile.image, []).append(name)
        for image, profiles in images.items():
            findings.append(_image(image, profiles, await engine.has_image(image)))
        ours = await engine.survey()
        count = sum(len(each) for each in ours.values())
        findings.append(Finding("containers", "ok", f"{number(count, 'container')} of instance {settings.instance}"))
        findings.append(_network(*await engine.enclosed(), info.rootless, any_session=count > 0))
        return findings, ours
    except EngineError as error:
        return [_away(settings.docker_host or os.environ.get("DOCKER_HOST") or DOCKER_SOCKET, error)], None
    finally:
        await engine.close()


async def _swarm(settings: Settings) -> tuple[list[Finding], None]:
    """What a manager tells; images and ports are the nodes' own, which are not asked."""
    placing = main.placing_of(settings)
    try:
        engine = SwarmEngine(settings.docker_host, settings.instance, settings.container_prefix, 1, 1, placing)
    except SettingsInvalid as error:
        mend = "Put them there, or leave `swarm_nodes` out: the controller does not start like that."
        return [Finding("node engines", "fault", str(error), mend)], None
    try:
        info = await engine.info()
        asked_at = datetime.now(UTC)
        count = sum(len(each) for each in (await engine.survey()).values())
        why_not, commands = await engine.enclosed()
        mend = f"Type as root on each node, after each start of it:\n{commands}"
        machines = await engine.machines()
        return [
            Finding("engine", "ok", f"Docker {info.version}, a manager of the swarm"),
            _clock(info.now - asked_at),
            nodes_found(machines),
            *_pools(settings, machines),
            *_node_engines(settings, await engine.silent()),
            Finding("containers", "ok", f"{number(count, 'service')} of instance {settings.instance}"),
            Finding("network", "note", why_not, mend),
        ], None
    except EngineError as error:
        return [_away(settings.docker_host or os.environ.get("DOCKER_HOST") or DOCKER_SOCKET, error)], None
    finally:
        await engine.close()


def nodes_found(machines: Sequence[Machine]) -> Finding:
    """Whether sessions find nodes, and which of these take none."""
    names = [each.name for each in machines]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        mend = "Give each machine a host name of its own: `matlabctl node` and `why` call them by it."
        return Finding("nodes", "fault", f"several are named {', '.join(twice)}", mend)
    others = [f"{each.name} ({_takes_none(each)})" for each in machines if not each.takes_runs]
    if len(others) == len(machines):
        mend = "`matlabctl node activate` takes one back; `docker node ls` tells what the managers know."
        return Finding("nodes", "fault", f"none takes sessions: {', '.join(others) or 'there are none'}", mend)
    taking = f"{len(machines) - len(others)} of {number(len(machines), 'node')} take sessions"
    return Finding("nodes", "note" if others else "ok", f"{taking}{', but for ' if others else ''}{', '.join(others)}")


def _pools(settings: Settings, machines: Sequence[Machine]) -> Iterator[Finding]:
    """Profiles whose sessions no node would take."""
    for name, profile in settings.profiles.items():
        if profile.node_labels and not any(suits(each, profile.node_labels) for each in machines):
            wanted = " ".join(f"--label-add {label}={value}" for label, value in profile.node_labels.items())
            mend = f"`docker node update {wanted} NODE` has NODE take them."
            yield Finding("nodes", "note", f"there is none that profile {name} names: its sessions cannot start", mend)


def _node_engines(settings: Settings, silent: Mapping[str, str] | None) -> Iterator[Finding]:
    """Whether nodes answer as `swarm_nodes` says. `silent`: which do not, and why; `None`: they are not to."""
    if silent is None or settings.swarm_nodes is None:
        return
    if not silent:
        yield Finding("node engines", "ok", "each node that takes sessions answers over TLS")
    mend = (
        f"Let its dockerd listen on port {settings.swarm_nodes.port} with a certificate of that authority. Until then "
        "the use of its sessions is not known, and other limits come with their next start."
    )
    for name, why in silent.items():
        yield Finding("node engines", "note", f"{name}: {why}", mend)


def _takes_none(machine: Machine) -> str:
    if machine.state != "ready":
        return machine.state
    return "to be empty" if machine.leaving_since else machine.availability


def _unlimited(info: EngineInfo) -> Finding:
    *others, last = info.unlimited
    found = f"Docker cannot limit {', '.join(others) + ' and ' if others else ''}{last} here"
    mend = "On cgroup v1 boot with `cgroup_enable=memory swapaccount=1`; cgroup v2 has all of them."
    if info.rootless:
        mend = (
            "A rootless engine can on a machine with cgroup v2, once systemd has delegated cpu, memory and pids to it."
        )
    return Finding("limits", "fault", found, mend)


def _rootless(settings: Settings) -> Finding:
    folder, image = settings.data_root / "user_N", settings.profiles[settings.default_profile].image
    give = f"docker run --rm -u 0 -v {folder}:/it {image} chown {settings.session_user} /it"
    mend = f"Give each folder to its session once, when its first start has made it, and restart that session:\n{give}"
    return Finding(
        "rootless", "note", "the engine's uids are others than this machine's: no folder is its session's", mend
    )


def _network(why_not: str, commands: str, rootless: bool, *, any_session: bool) -> Finding:
    if not why_not:
        return Finding("network", "ok", "closed to all that sessions may not reach")
    mend = (
        "A controller that is root or has CAP_NET_ADMIN closes it by itself; the unit of `matlabctl service install` "
        f"has it. Else type as root, after each start of the machine:\n{commands}"
    )
    if rootless:
        mend = f"Type as the engine's user, after each start of the engine:\n{INTO_ROOTLESS} {commands}"
    return Finding("network", "fault" if any_session else "note", why_not, mend)


def _away(host: str, error: EngineError) -> Finding:
    """Why the engine does not answer, as far as its socket tells."""
    socket_file = Path(host.removeprefix("unix://"))
    if not host.startswith("unix://"):
        return Finding("engine", "fault", f"{host}: {error}", error.hint)
    if not socket_file.exists():
        mend = "Install Docker, or start it: `systemctl start docker`. Where it listens elsewhere, set DOCKER_HOST."
        return Finding("engine", "fault", f"no engine listens: there is no {socket_file}", mend)
    if not os.access(socket_file, os.R_OK | os.W_OK):
        mend = "Let this user use Docker: `sudo usermod -aG docker $USER`, then log in again."
        return Finding("engine", "fault", f"{socket_file} may not be used by this user", mend)
    return Finding("engine", "fault", f"{socket_file}: {error}", error.hint)


def _clock(apart: timedelta) -> Finding:
    if abs(apart) <= CLOCK_APART:
        return Finding("clock", "ok", "the engine's and this machine's agree")
    found = f"the engine's clock is {abs(apart.total_seconds()):.0f} s {'ahead' if apart > timedelta(0) else 'behind'}"
    return Finding("clock", "fault", found, "Set both by NTP: `timedatectl set-ntp true`.")


def _image(image: str, profiles: list[str], there: bool) -> Finding:
    users = f"profile {', '.join(profiles)}"
    if there:
        return Finding("image", "ok", f"{image} ({users})")
    builds = {
        "matlab-session:octave": "`make image` builds it.",
        "matlab-session:octave-full": "`make image-full` builds it.",
    }
    mend = builds.get(image, f"`docker pull {image}`, or name another image in the profile.")
    return Finding("image", "fault", f"{image} is not on the engine ({users})", mend)


def _ports(settings: Settings, running: Collection[int]) -> Finding:
    """Whether the ports of sessions that do not run are free."""
    idle = [user_id for user_id in range(1, settings.max_users + 1) if user_id not in running]
    bases = (settings.http_port_base, settings.ws_port_base)
    taken = {
        base + user_id: user_id
        for base in bases
        for user_id in idle
        if not _bindable(settings.bind_address, base + user_id)
    }
    ranges = " and ".join(f"{base + 1}-{base + settings.max_users}" for base in bases)
    if not taken:
        return Finding("ports", "ok", f"{ranges} on {settings.bind_address}: free, or our sessions'")
    port = min(taken)
    who = listener(port) or "another process"
    found = f"{number(len(taken), 'session port')} taken, {port} by {who}: users {spelled(sorted(set(taken.values())))}"
    return Finding("ports", "fault", found, "End what listens there, or move http_port_base and ws_port_base.")


def _lent_ports(settings: Settings) -> Iterator[Finding]:
    """Whether the kernel may give a session's port to some outgoing connection."""
    first, last = map(int, EPHEMERAL_PORTS.read_text().split())
    highest = {base: base + settings.max_users for base in (settings.http_port_base, settings.ws_port_base)}
    lent = [f"{base + 1}-{end}" for base, end in highest.items() if end >= first and base < last]
    if lent:
        ports = " and ".join(lent)
        mend = f"Move them below {first}, or reserve them: `sysctl net.ipv4.ip_local_reserved_ports={','.join(lent)}`."
        found = f"the kernel lends {ports} to outgoing connections, so that a session may find its own port taken"
        yield Finding("port range", "note", found, mend)


def _bindable(host: str, port: int) -> bool:
    kind = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(kind) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:  # also where it may not be tried, or the address is another machine's
            return error.errno != errno.EADDRINUSE
    return True
