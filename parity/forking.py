"""Starts a framework once for many processes: they are forked from a server that has imported it.

To import PyTorch and Lightning takes seconds, and a search for differences asks the candidate several times. Where a
GPU is found, which no forked process can use after it was looked at, and where processes cannot be forked safely,
each is started on its own.
"""

import atexit
import contextlib
import io
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import BinaryIO

from parity.protocol.serve import READY, SERVE

SLOWEST = 120.0  # seconds in which a server has imported everything
LOST = -9  # the exit status of a process whose keeper has not told it

_servers: dict[tuple, "Server"] = {}
_lock = threading.Lock()


def can_fork() -> bool:
    """Says whether this system's processes can be forked after the imports: Linux's can."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open")


class Forked:
    """A process that a server has forked.

    Attributes:
        pid: its number, and its group's.
        returncode: its exit status, negative where a signal killed it; None while it runs.
    """

    returncode: int | None = None

    def __init__(self, status: int):
        """Waits until the process is there.

        Args:
            status: descriptor of what its keeper tells; see `parity.protocol.serve.keep`.

        Raises:
            OSError: it could not be forked.
        """
        self.status = io.FileIO(status)
        line = self.status.readline()
        if not line:
            self.status.close()
            raise OSError("the server has ended")
        self.pid = int(line)
        os.set_blocking(status, False)

    def collect(self) -> int | None:
        """Returns the most memory that the process had, as `ru_maxrss`, once it has ended; None while it runs."""
        told = self.status.read(100)
        if told is None:
            return None
        self.status.close()
        self.returncode, memory = map(int, told.split()) if told else (LOST, 0)
        return memory


class Server:
    """A process that imports a framework's adapter, and forks.

    Args:
        module: of the adapter.
        env: its whole environment, and its children's.
    """

    def __init__(self, module: str, env: dict[str, str]):
        self.connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            streams = {"stdin": theirs, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            command = [sys.executable, "-m", module, SERVE]
            self.process = subprocess.Popen(command, **streams, env=env, start_new_session=True)
        self.answers: bool | None = None  # whether it forks, once that is known

    def is_ready(self, look: Callable[[], None]) -> bool:
        """Waits until the server has imported everything; says whether it forks.

        Args:
            look: is called meanwhile, and may raise.
        """
        until = time.monotonic() + SLOWEST
        while self.answers is None and time.monotonic() < until:
            look()
            select.select([self.connection], [], [], 0.1)
            with contextlib.suppress(BlockingIOError):  # nothing yet, or another thread has read it
                self.answers = self.connection.recv(len(READY), socket.MSG_DONTWAIT) == READY
        return bool(self.answers)

    def fork(self, arguments: list[str]) -> tuple[Forked, BinaryIO]:
        """Has a process forked; returns it, and what it prints.

        Raises:
            OSError: the server has ended.
        """
        (output, theirs), (status, told) = os.pipe(), os.pipe()
        request = json.dumps({"arguments": arguments, "folder": os.getcwd()}).encode()
        try:
            socket.send_fds(self.connection, [request], [theirs, told])
        except OSError:
            os.close(status)
            os.close(output)
            raise
        finally:
            os.close(theirs)
            os.close(told)
        printed = io.BufferedReader(io.FileIO(output))
        try:
            return Forked(status), printed
        except OSError:
            printed.close()
            raise

    def close(self) -> None:
        """Ends the server; what it has forked goes on."""
        self.connection.close()
        self.process.kill()
        self.process.wait()


def fork(module: str, arguments: list[str], env: dict, look: Callable[[], None]) -> tuple[Forked, BinaryIO] | None:
    """Has a process of an adapter forked; returns it, and what it prints, or None where that cannot be.

    Args:
        module: of the adapter; its server is started once, in each environment.
        arguments: of the process.
        env: its whole environment.
        look: is called while the server starts, and may raise.
    """
    if not can_fork():
        return None
    key = module, frozenset(env.items())
    with _lock:
        server = _servers.get(key) or _servers.setdefault(key, Server(module, env))
    try:
        return server.fork(arguments) if server.is_ready(look) else None
    except OSError:
        server.answers = False
        return None


@atexit.register
def close() -> None:
    """Ends all servers."""
    while _servers:
        _servers.popitem()[1].close()
