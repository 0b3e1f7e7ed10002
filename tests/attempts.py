"""Runs inside a session's container, as a user's code would, and tries what no session should be able to do.

Reads what to try as JSON (name → kind and arguments), and prints as JSON what came of each.
"""

import contextlib
import ctypes
import errno
import json
import os
import signal
import socket
import sys
import time

LIBC = ctypes.CDLL(None, use_errno=True)
WAIT = 5
MIB = 2**20


def refusal(error: OSError) -> str:
    """The system's word for it; that of a time-out has no number."""
    return errno.errorcode.get(error.errno, "") if error.errno else "timed out"


def connect(host: str, port: int) -> str:
    with socket.create_connection((host, port), WAIT):
        return "reached"


def resolve(name: str) -> str:
    try:
        socket.getaddrinfo(name, None)
    except socket.gaierror:
        return "not found"
    return "found"


def ping(host: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as probe:
        probe.settimeout(WAIT)
        probe.connect((host, 0))
        probe.send(b"\x08\x00\x00\x00\x00\x00\x00\x01")
        probe.recv(100)
        return "answered"


def ipv6(port: int) -> str:
    """Whether there is any way by IPv6 off this container."""
    with open("/proc/net/if_inet6") as file:
        others = [line for line in file if not line.rstrip().endswith(" lo")]
    return "an address" if others else "no address"


def called(name: str, *arguments: object) -> str:
    if getattr(LIBC, name)(*arguments) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return "done"


def mount() -> str:
    return called("mount", b"none", b"/tmp", b"tmpfs", 0, None)


def unshare(flags: int) -> str:
    return called("unshare", flags)


def raw(family: int) -> str:
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_ICMP):
        return "opened"


def root() -> str:
    os.setuid(0)
    return "root"


def mknod(path: str) -> str:
    os.mknod(path, 0o600 | 0o020000, os.makedev(1, 1))
    return "made"


def exists(*paths: str) -> str:
    return "there" if any(map(os.path.exists, paths)) else "not there"


def write(path: str) -> str:
    with open(path, "w") as file:
        file.write("1")
    return "written"


def forks(wanted: int) -> str:
    """In a group of their own, so that all can be ended at once."""
    children = []
    try:
        for _ in range(wanted):
            child = os.fork()
            if child == 0:
                time.sleep(60)
                os._exit(0)
            children.append(child)
    except OSError as error:
        return f"{refusal(error)} before {256 if len(children) < 256 else 5000}"
    finally:
        for child in children:
            os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)
    return f"{wanted} made"


def memory(megabytes: int) -> str:
    child = os.fork()
    if child == 0:
        with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
            file.write("1000")
        held = [b"x" * (16 * MIB) for _ in range(megabytes // 16)]
        os._exit(0 if held else 1)
    _, status = os.waitpid(child, 0)
    return "killed" if os.WIFSIGNALED(status) else "had it all"


def fill(path: str, megabytes: int) -> str:
    try:
        with open(path, "wb", buffering=0) as file:
            for _ in range(megabytes):
                file.write(bytes(MIB))
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
    return "had it all"


def log(megabytes: int) -> str:
    """Into the container's log, by the main process' own output."""
    with open("/proc/1/fd/1", "w") as file:
        for _ in range(megabytes * 16):
            file.write("x" * 65535 + "\n")
    return "written"


def tried(kind: str, *arguments: object) -> str:
    try:
        return str(globals()[kind](*arguments))
    except OSError as error:
        return refusal(error)


print(json.dumps({name: tried(*what) for name, what in json.load(sys.stdin).items()}))
