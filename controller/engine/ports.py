"""Who listens on a port of this host, so that a taken port has a name. Nobody is ever asked to leave."""

from __future__ import annotations

import psutil


def listener(port: int) -> str:
    """The process that listens on a TCP port, in words; empty where that cannot be seen."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            here = connection.laddr and connection.laddr.port == port
            if here and connection.status == psutil.CONN_LISTEN and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
    except psutil.Error:
        return ""
    return ""
