"""Forks a new process for every command it is asked for: `server.py FOLDER KIND`, started by `client.py`.

It imports its framework once and runs no operation with it; so there are no threads of its own that a fork would
lose. It ends with the test session that it belongs to, and a command ends with the client that asked for it.
"""

import atexit
import contextlib
import io
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import threading
import time
import types
from dataclasses import dataclass

from preloaded import Preloaded


@dataclass
class Command:
    """A command that runs: its process, and the client that waits for it."""

    pid: int
    connection: socket.socket
    ended: int  # a file descriptor that is readable once the process has ended
    arguments: list[str]
    started: float


class Server:
    """Waits for commands; `serve` returns in each forked process, with what that process is to run.

    Args:
        folder: of the socket and the session's settings.
        kind: the name of the socket.
        owner: the process id of the session.
    """

    def __init__(self, folder: str, kind: str, owner: int):
        self.folder = folder
        self.commands: list[Command] = []
        self.selector = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.path.join(folder, f"{kind}.socket"))
        self.listener.listen(64)
        self.selector.register(self.listener, selectors.EVENT_READ, self.accept)
        self.selector.register(os.pidfd_open(owner), selectors.EVENT_READ, self.end)

    def serve(self) -> dict:
        """Serves for ever; returns a request in the process that was forked for it."""
        while True:
            for key, _ in self.selector.select():
                if request := key.data():
                    return request

    def accept(self) -> dict | None:
        """Forks a process for a new client; returns its request in that process, None in this one."""
        connection, _ = self.listener.accept()
        try:
            request, streams = received(connection)
        except (OSError, ValueError):  # the client went away
            connection.close()
            return None
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            self.selector.close()
            for other in (self.listener, connection, *(command.connection for command in self.commands)):
                other.close()
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
                os.close(stream)
            return request
        for stream in streams:
            os.close(stream)
        command = Command(pid, connection, os.pidfd_open(pid), request["arguments"], time.monotonic())
        self.commands.append(command)
        self.selector.register(command.ended, selectors.EVENT_READ, lambda: self.answer(command))
        self.selector.register(connection, selectors.EVENT_READ, lambda: self.listen(command))
        return None

    def listen(self, command: Command) -> None:
        """Passes the signals of a client on; if it is gone, kills its command with all that this has started."""
        try:
            numbers = command.connection.recv(64)
        except OSError:
            numbers = b""
        if not numbers:
            self.selector.unregister(command.connection)
        for number in numbers or [signal.SIGKILL]:
            send_signal(command.pid, number)

    def answer(self, command: Command) -> None:
        """Tells a client how its command ended."""
        _, status, used = os.wait4(command.pid, 0)
        self.note(command, used.ru_utime + used.ru_stime)
        self.commands.remove(command)
        for watched in (command.ended, command.connection):
            if watched in self.selector.get_map():
                self.selector.unregister(watched)
        os.close(command.ended)
        with contextlib.suppress(OSError):
            command.connection.sendall(str(status).encode())
        command.connection.close()

    def note(self, command: Command, processor_seconds: float) -> None:
        """Keeps what a command took, for whoever looks for slow tests: `commands.tsv` in the session's folder."""
        seconds = time.monotonic() - command.started
        with open(os.path.join(self.folder, "commands.tsv"), "a") as file:
            file.write(f"{processor_seconds:.1f}\t{seconds:.1f}\t{' '.join(command.arguments)[:200]!r}\n")

    def end(self) -> None:
        """Ends with the session, and ends what still runs; removes the folder, which a killed session leaves behind."""
        for command in self.commands:
            send_signal(command.pid, signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)
        os._exit(0)


def received(connection: socket.socket) -> tuple[dict, list[int]]:
    """Reads a request, and the client's standard streams."""
    text, streams, _, _ = socket.recv_fds(connection, 1, 3)
    while not text.endswith(b"\n") or len(text) == 1:
        arrived = connection.recv(65_536)
        if not arrived:
            raise ValueError("half a request")
        text += arrived
    return json.loads(text), list(streams)


def send_signal(pid: int, number: int) -> None:
    """Sends a signal to a command and what it has started: it leads a session of its own."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)  # it was forked a moment ago, and leads nothing yet


def become(request: dict, executable: str) -> None:
    """Makes this process what Python would have started: environment, folder, streams, session, chance."""
    os.setsid()
    os.umask(request["umask"])
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["environment"])
    unbuffered = request["arguments"][0] == "-u" or bool(os.environ.get("PYTHONUNBUFFERED"))
    sys.stdin = sys.__stdin__ = open(0, closefd=False)  # noqa: SIM115 - for as long as the process
    sys.stdout = sys.__stdout__ = stream(1, unbuffered)
    sys.stderr = sys.__stderr__ = stream(2, unbuffered, errors="backslashreplace", line_buffering=True)
    sys.executable = executable
    sys.orig_argv = [executable, *request["arguments"]]
    sys.modules["__main__"] = types.ModuleType("__main__")
    import numpy as np

    np.random.seed()  # `random` does so by itself after a fork


def stream(number: int, unbuffered: bool, **options) -> io.TextIOWrapper:
    """Opens a standard stream for writing, as Python does when it starts."""
    raw = io.FileIO(number, "w", closefd=False)
    options = {"line_buffering": raw.isatty(), **options}
    if unbuffered:
        return io.TextIOWrapper(raw, encoding="utf-8", write_through=True, **options)
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8", **options)


def run(arguments: list[str], paths: list[str]) -> None:
    """Runs `-m MODULE` or `-c CODE` as Python does.

    Args:
        arguments: behind `python`.
        paths: where modules are searched behind the program's own folder.
    """
    arguments = arguments[1:] if arguments[0] == "-u" else arguments
    option, program, *rest = arguments
    sys.argv = [option, *rest]
    if option == "-c":
        sys.path[:] = ["", *paths]
        exec(compile(program, "<string>", "exec"), sys.modules["__main__"].__dict__)
        return
    import runpy

    sys.path[:] = [os.getcwd(), *paths]
    runpy._run_module_as_main(program)  # what `python -m` itself calls


def end(error: BaseException | None) -> None:
    """Ends this process as Python does, but for taking down every module: that copies all pages, which takes seconds.

    Args:
        error: what the program ended with.
    """
    status = 0
    if isinstance(error, SystemExit):
        status = error.code if isinstance(error.code, int) else int(error.code is not None)
        if error.code is not None and not isinstance(error.code, int):
            print(error.code, file=sys.stderr)
    elif error is not None:
        sys.excepthook(type(error), error, error.__traceback__)
        status = 1
    threading._shutdown()
    atexit._run_exitfuncs()
    for output in (sys.stdout, sys.stderr):
        try:
            output.flush()
        except (OSError, ValueError):  # Python's own status for it
            status = status or 120
    if isinstance(error, KeyboardInterrupt):
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    os._exit(status & 0xFF)


if __name__ == "__main__":
    folder, kind = sys.argv[1:]
    with open(os.path.join(folder, "settings.json")) as settings_file:
        settings = json.load(settings_file)
    request: dict = {}
    streams: list[int] = []

    def restart() -> None:
        """Starts the command once more, as usual; a program may have silenced its streams while it imports."""
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        os.chdir(request["folder"])
        os.execve(settings["python"], [settings["python"], *request["arguments"]], request["environment"])

    preloaded = Preloaded(kind.split("-", maxsplit=1)[0], restart)
    request |= Server(folder, kind, settings["owner"]).serve()
    become(request, settings["warm_python"])
    streams += [os.dup(number) for number in range(3)]
    ending = None
    try:
        run(request["arguments"], sys.path[1:])
    except BaseException as raised:
        ending = raised
    end(ending)
