"""`service`: the controller as a systemd service, of the machine where root runs this, else of the user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from controller.cli.failures import Wrong
from controller.cli.flags import load_settings, output_flag
from controller.cli.output import print_data

NAME = "matlab-container-manager.service"

MALLOC = {"MALLOC_ARENA_MAX": "2", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}
"""For the environment of a controller's process: the C library reads it once, as it begins."""

UNIT = """\
[Unit]
Description=MATLAB Container Manager
{order}\
# A setting that is wrong does not get better by trying again and again.
StartLimitIntervalSec=60
StartLimitBurst=5

[Service]
Type=notify
{user}\
WorkingDirectory={folder}
ExecStart={command}
# No caches of the C library's for each of its threads: they fill for hours, and memory would not rest.
Environment={malloc}
# Until the API listens; a branch of git may have to be fetched first.
TimeoutStartSec=300
# A controller whose loop no longer turns is ended, tells in the log where it was, and is started anew.
WatchdogSec=60
TimeoutAbortSec=10
Restart=on-failure
RestartSec=2
RestartPreventExitStatus=2
# Sessions are the engine's; stopping the controller ends none of them.
KillMode=mixed
TimeoutStopSec=20
LimitNOFILE=65536
LimitCORE=0
NoNewPrivileges=yes
{hardening}
[Install]
WantedBy={target}
"""

HARDENING = """\
# Whoever may use Docker is root if he wants to be: what follows keeps faults in, not somebody who has taken over.
# NET_ADMIN is for the rules that keep sessions in their network, the others for users' folders where root runs this.
AmbientCapabilities=CAP_NET_ADMIN
CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_SYS_PTRACE
ProtectSystem=full
ProtectClock=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectControlGroups=yes
PrivateDevices=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallErrorNumber=EPERM
"""

NO_SYSTEMD = (
    "systemd does not run this machine, so there is no service to {verb}. Run `matlabctl serve` under what does "
    "(a container's entry point, runit, supervisord, tmux); `matlabctl service install --dry-run` prints the unit."
)


PROPERTIES = {
    "loaded": "LoadState",
    "active": "ActiveState",
    "state": "SubState",
    "at_boot": "UnitFileState",
    "pid": "MainPID",
    "since": "ActiveEnterTimestamp",
}
"""What `service status -o json` tells, and systemd's word for it."""


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the unit goes, and how systemd is told of it."""

    file: Path
    systemctl: tuple[str, ...]


@click.group("service")
def service_command() -> None:
    """Run the controller as a systemd service: of the machine when root says so, else of the user who does.

    \b
    Examples:
      matlabctl service install --dry-run
      sudo matlabctl service install --config /etc/matlab-container-manager.yaml
      matlabctl service status
      matlabctl service uninstall
    """


@service_command.command("install")
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False, resolve_path=True),
    metavar="FILE",
    help="Settings file.  [default: controller.yaml of the working folder, if it is there]",
)
@click.option(
    "--user", metavar="NAME", help="Whom the machine's service runs as; one who may use Docker.  [default: root]"
)
@click.option("--dry-run", is_flag=True, help="Print the unit and change nothing.")
@output_flag
def install(config: Path | None, user: str | None, dry_run: bool, output: str) -> None:
    """Write the unit, start it, and have it started at every boot. Once more after a move or an upgrade is fine.

    The working folder becomes the service's: that is where `controller.yaml` and `desired_state.yaml` are looked for.

    \b
    Examples:
      matlabctl service install --dry-run
      sudo matlabctl service install --user matlab
    """
    load_settings(config, {})  # what cannot be used is said here and now, not in a journal
    text = unit(Path.cwd(), Path(sys.executable), config, user, of_machine=os.getuid() == 0)
    place = _place()
    told = {"file": str(place.file), "installed": not dry_run, "unit": text}
    if dry_run:
        click.echo(text, nl=False) if output == "table" else print_data(told, output)
        return
    _need_systemd("install")
    try:
        place.file.parent.mkdir(parents=True, exist_ok=True)
        place.file.write_text(text)
    except OSError as error:
        raise click.ClickException(f"{place.file} cannot be written: {error.strerror}.") from error
    _systemctl(place, "daemon-reload")
    _systemctl(place, "enable", NAME)
    _systemctl(place, "restart", NAME)
    if output != "table":
        print_data(told, output)
        return
    click.echo(f"Wrote {place.file}; the controller runs, and does after each boot.")
    click.echo("`matlabctl service status` shows how it is.")
    if os.getuid():
        click.echo("A user's service ends when that user logs out, unless: loginctl enable-linger")


@service_command.command("status")
@output_flag
def status(output: str) -> None:
    """Show what systemd says of it. The exit code is systemd's: 0 running, 3 not running, 4 not installed.

    \b
    Examples:
      matlabctl service status
      matlabctl service status -o json | jq .active
    """
    _need_systemd("show")
    place = _place()
    if output != "table":
        told = standing(_systemctl(place, "show", NAME, f"--property={','.join(PROPERTIES.values())}"))
        print_data({"file": str(place.file), **told}, output)
        sys.exit(0 if told["active"] == "active" else 3 if told["loaded"] == "loaded" else 4)
    sys.exit(subprocess.run([*place.systemctl, "--no-pager", "status", NAME], check=False).returncode)  # noqa: S603


@service_command.command("uninstall")
@click.option("--dry-run", is_flag=True, help="Say what would be removed and change nothing.")
@output_flag
def uninstall(dry_run: bool, output: str) -> None:
    """Stop the service and remove its unit. Sessions go on; settings, desired state and files stay.

    \b
    Example:
      sudo matlabctl service uninstall
    """
    place = _place()
    there = place.file.exists()
    if dry_run and output == "table":
        click.echo(f"Would stop {NAME} and remove {place.file}." if there else f"There is no {place.file}.")
        return
    if dry_run:
        print_data({"file": str(place.file), "installed": there}, output)
        return
    _need_systemd("uninstall")
    if not there:
        raise click.ClickException(f"There is no {place.file}, so nothing to uninstall.")
    _systemctl(place, "disable", "--now", NAME)
    place.file.unlink()
    _systemctl(place, "daemon-reload")
    if output != "table":
        print_data({"file": str(place.file), "installed": False}, output)
        return
    click.echo(f"Removed {place.file}. Sessions go on; settings, desired state and files stay.")


def standing(shown: str) -> dict[str, str]:
    """What `systemctl show` printed, `Name=value` a line, by our names."""
    values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    return {name: values.get(theirs, "") for name, theirs in PROPERTIES.items()}


def unit(folder: Path, python: Path, config: Path | None, user: str | None, *, of_machine: bool) -> str:
    """The unit's text."""
    command = [str(python), "-m", "controller", "serve", *(("--config", str(config)) if config else ())]
    order = "After=network-online.target docker.service\nWants=network-online.target docker.service\n"
    return UNIT.format(
        order=order if of_machine else "",
        user=f"User={user}\n" if user and of_machine else "",
        folder=_quoted(str(folder)) if " " in str(folder) else folder,
        command=" ".join(_quoted(word) for word in command),
        malloc=" ".join(f"{name}={value}" for name, value in MALLOC.items()),
        hardening=HARDENING if of_machine else "",
        target="multi-user.target" if of_machine else "default.target",
    )


def _quoted(word: str) -> str:
    """As systemd reads a command line: `%` begins a specifier, `$` a variable."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"' if " " in word or escaped != word else word


def _place() -> _Place:
    if os.getuid() == 0:
        return _Place(Path("/etc/systemd/system") / NAME, ("systemctl",))
    config = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config").expanduser()
    return _Place(config / "systemd" / "user" / NAME, ("systemctl", "--user"))


def _need_systemd(verb: str) -> None:
    """`/run/systemd/system` is there where systemd runs the machine: sd_booted(3)."""
    if not Path("/run/systemd/system").is_dir() or shutil.which("systemctl") is None:
        raise Wrong(NO_SYSTEMD.format(verb=verb))


def _systemctl(place: _Place, *words: str) -> str:
    done = subprocess.run([*place.systemctl, *words], capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        said = " ".join((done.stderr or done.stdout).split())
        raise click.ClickException(f"{' '.join((*place.systemctl, *words))}: {said or 'failed without a word'}")
    return done.stdout
