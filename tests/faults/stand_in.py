"""What runs in a container in place of a session: it answers both probes, or does what `.manner` in the user's folder
says. Standard library only: the container has its text on its command line.
"""

import base64
import contextlib
import fcntl
import hashlib
import os
import re
import signal
import socket
import sys
import threading
import time

HOME = "/home/matlab/shared"
MANNER = f"{HOME}/.manner"
GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def serve(port: int, *, deaf: bool) -> None:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("0.0.0.0", port))
    listener.listen(64)
    kept = []
    while True:
        caller, _ = listener.accept()
        if deaf:
            kept.append(caller)
            continue
        with contextlib.suppress(OSError), caller:
            caller.settimeout(2)
            asked = caller.recv(4096)
            key = re.search(rb"Sec-WebSocket-Key: *(\S+)", asked)
            if key is None:
                caller.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            else:
                proof = base64.b64encode(hashlib.sha1(key[1] + GUID.encode()).digest())
                switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                caller.sendall(switch + b"Sec-WebSocket-Accept: " + proof + b"\r\n\r\n")


def misbehave(manner: str) -> None:
    if manner == "alone":
        held = os.open(f"{HOME}/.alone", os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            open(f"{HOME}/.two", "a").close()
    if manner == "exits":
        sys.exit(3)
    if manner == "hungry":
        time.sleep(1)
        kept = []
        while True:
            kept.append(bytearray(b"x" * 2**24))
    if manner == "forks":
        while True:
            with contextlib.suppress(OSError):
                os.fork()
    if manner == "floods":
        while True:
            print("flood " * 2000)


def main() -> None:
    manner = ""
    with contextlib.suppress(OSError), open(MANNER) as told:
        manner = told.read().strip()
    signal.signal(signal.SIGTERM, signal.SIG_IGN if manner == "stubborn" else lambda *_: os._exit(0))
    for port in (8888, 8889):
        threading.Thread(target=serve, args=(port,), kwargs={"deaf": manner == "deaf"}, daemon=True).start()
    misbehave(manner)
    while True:
        signal.pause()


main()
