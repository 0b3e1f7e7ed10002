"""Tells the service manager how it stands, and lives only as long as the loop turns: sd_notify(3).

A dozen lines over one socket, and so no library. What feeds the watchdog is a task of the very loop that it watches,
and it asks the reconciler first: a loop that is stopped, blocked, or waits for ever feeds nothing, and systemd starts
another controller. Where no service manager started us, all of this does nothing.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable, MutableMapping

log = logging.getLogger(__name__)

STATUS_SECONDS = 20.0
"""Between two lines of status, where no watchdog asks for more."""


class ServiceManager:
    def __init__(self, environment: MutableMapping[str, str]) -> None:
        """Its variables are taken out of `environment`: they are not for programs that we start."""
        self._address = environment.pop("NOTIFY_SOCKET", "")
        usec, process = environment.pop("WATCHDOG_USEC", "0"), environment.pop("WATCHDOG_PID", str(os.getpid()))
        self._watched = int(usec) / 1e6 if process == str(os.getpid()) else 0.0
        """Seconds after which it ends us unless it was told that we live; 0: it does not."""

    def tell(self, **words: str) -> None:
        """Such as `READY="1"`. It is told, or it is not there any more; nobody waits for it."""
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        message = "\n".join(f"{name}={' '.join(word.split())}" for name, word in words.items())
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sender:
                sender.sendto(message.encode("utf-8", "replace"), address)
        except OSError as error:
            log.warning(
                "the service manager was not told", extra={"pairs": {"what": message, "reason": error.strerror}}
            )

    async def keep_telling(self, standing: Callable[[], str], stuck: Callable[[], str]) -> None:
        """Until cancelled: how it stands and, unless it is stuck, that it lives."""
        while self._address:
            await asyncio.sleep(min(self._watched / 3, STATUS_SECONDS) if self._watched else STATUS_SECONDS)
            try:
                self._tell_standing(standing, stuck)
            except Exception:
                log.exception("the status could not be told")

    def _tell_standing(self, standing: Callable[[], str], stuck: Callable[[], str]) -> None:
        why = stuck()
        if why:
            log.error("stuck: the watchdog is not fed", extra={"pairs": {"reason": why}})
            self.tell(STATUS=why)
        else:
            self.tell(STATUS=standing(), WATCHDOG="1")
