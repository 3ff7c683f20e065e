"""Stands in for `python` in the tests: a command is forked from a process that has imported its framework already.

Started by the script that `warm.session` writes, as `client.py FOLDER <python's arguments>`. It hands arguments,
folder, environment and the three standard streams to a server (`server.py`), which forks a new process for them;
waits for it, passes signals on and ends as it ended. Whatever a fork could not do faithfully is started as usual:
another option than -u, another environment than the session's, a script, a package that is not ours.

Only the standard library's quick modules are imported: this is what remains of a command's start.
"""

import binascii
import json
import os
import re
import select
import signal
import socket
import sys
import time

# Environment variables in which a command may differ from its server: those that no import reads (but for Matplotlib's
# list of fonts, which lies in the cache),
READ_LATER = (
    r"MLP_DATA_DIR|PYTHONUNBUFFERED|COLUMNS|LINES|XDG_CACHE_HOME|TORCHINDUCTOR_CACHE_DIR|PYTEST_.*|_|SHLVL|(OLD)?PWD"
)
# and those that torch, Lightning or scikit-learn has written into the environment of whoever starts it.
LEFT_BEHIND = r"PYTORCH_NVML_BASED_CUDA_CHECK|KMP_DUPLICATE_LIB_OK|KMP_INIT_AT_FORK|PL_\w+|_TORCHINDUCTOR_\w+"
MAY_DIFFER = re.compile(f"{READ_LATER}|{LEFT_BEHIND}")
# Read when a process starts: servers of their own have them. Joblib sets numbers of threads for its workers, and
# `parity.process` how malloc is to work where a pair file is checked.
AT_START = re.compile(r"[A-Z]+_(NUM|MAXIMUM)_THREADS|ENABLE_IPC|GLIBC_TUNABLES")
# Joblib's workers start cold, since they inherit open pipes; the commands that they start need not.
LOKY = "joblib.externals.loky.backend.popen_loky_posix"
START_LOKY = """import runpy, sys
sys.executable, name = sys.argv[1:3]
del sys.argv[1:3]
runpy.run_module(name, run_name="__main__", alter_sys=True)"""
# What each server has imported, by the packages whose commands it starts; the first that fits.
PACKAGES = {
    "keras": ("keras_reference", "parity.adapters.keras"),
    "torch": ("lightning_mlp", "parity.adapters.torch"),
    "plain": ("parity",),
}
# The words that choose a server for `-c CODE`: what the code imports.
WORDS = {
    "keras": r"keras_reference|adapters\.keras|import keras",
    "torch": r"lightning_mlp|adapters\.torch|import torch",
}
PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
START_SECONDS = 120.0  # for a server to import its framework, also on a busy machine


def kind_of(arguments: list[str]) -> str | None:
    """Returns the server that can start a command, None if none can.

    Args:
        arguments: behind `python`.
    """
    arguments = arguments[1:] if arguments[:1] == ["-u"] else arguments
    if len(arguments) < 2 or arguments[0] not in ("-m", "-c"):
        return None
    option, program = arguments[:2]
    for kind, packages in PACKAGES.items():
        if option == "-m" and any(program == package or program.startswith(f"{package}.") for package in packages):
            return kind
        if option == "-c" and kind in WORDS and re.search(WORDS[kind], program):
            return kind
    return None


def same_surroundings(settings: dict) -> bool:
    """Says whether the environment and the cores are the server's, but for what no import reads."""
    ours, theirs = (
        {name: value for name, value in environment.items() if not MAY_DIFFER.fullmatch(name)}
        for environment in (os.environ, settings["environment"])
    )
    return ours == theirs and sorted(os.sched_getaffinity(0)) == settings["cores"]


def as_started(settings: dict) -> tuple[dict, str]:
    """Returns the settings with what this process was given of `AT_START`, and what names it.

    Args:
        settings: of the session.
    """
    ours = {name: value for name, value in os.environ.items() if AT_START.fullmatch(name)}
    known = {name: value for name, value in settings["environment"].items() if AT_START.fullmatch(name)}
    if ours == known:
        return settings, ""
    others = {name: value for name, value in settings["environment"].items() if name not in known}
    suffix = f"-{binascii.crc32(repr(sorted(ours.items())).encode()):08x}"
    return {**settings, "environment": {**others, **ours}}, suffix


def connect(folder: str, kind: str, settings: dict) -> socket.socket:
    """Connects to a server; starts it if it is not running yet."""
    connection = socket.socket(socket.AF_UNIX)
    address = os.path.join(folder, f"{kind}.socket")
    try:
        connection.connect(address)
        return connection
    except OSError:
        start_server(folder, kind, settings)
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            connection.connect(address)
            return connection
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def start_server(folder: str, kind: str, settings: dict) -> None:
    """Starts a server with the session's environment, unless somebody has."""
    import subprocess

    try:
        os.close(os.open(os.path.join(folder, f"{kind}.started"), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    with open(os.path.join(folder, f"{kind}.log"), "wb") as log:
        subprocess.Popen(
            [settings["python"], os.path.join(os.path.dirname(__file__), "server.py"), folder, kind],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=settings["environment"], start_new_session=True,
        )  # fmt: skip


def ask(connection: socket.socket, arguments: list[str], output: int = 1) -> None:
    """Sends a command: the standard streams themselves, then the rest as one line of JSON."""
    umask = os.umask(0)
    os.umask(umask)
    request = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ), "umask": umask}
    socket.send_fds(connection, [b"\n"], [0, output, 2])
    connection.sendall(json.dumps(request).encode() + b"\n")


def wait(connection: socket.socket, parent: int, output: int | None = None, printed=None) -> int:
    """Waits for the command's end and passes signals on; returns its status as `os.waitpid` gives it.

    A client that ends takes its command along: the server sees the connection close.

    Args:
        connection: to the server.
        parent: the process that this one ends with.
        output: the end of a pipe that the command prints into, if somebody wants to see it.
        printed: called with what is printed.
    """
    for number in PASSED_ON:
        signal.signal(number, lambda number, frame: connection.sendall(bytes([number])))
    watched = [connection] if output is None else [connection, output]
    while True:
        readable, _, _ = select.select(watched, [], [], 1.0)
        if output in readable:
            data = os.read(output, 65_536)
            if data:
                printed(data)
            else:
                watched.remove(output)
        elif readable:
            answer = connection.recv(64)
            if not answer:
                sys.exit("the server of warm processes is gone; its log lies beside its socket")
            while output in watched and select.select([output], [], [], 0)[0] and (data := os.read(output, 65_536)):
                printed(data)
            return int(answer)
        if os.getppid() != parent:
            os._exit(1)


def end_as(status: int) -> None:
    """Ends this process as the command ended: with its exit status, or by its signal."""
    if not os.WIFSIGNALED(status):
        os._exit(os.waitstatus_to_exitcode(status))
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    number = os.WTERMSIG(status)
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def run(folder: str, kind: str, settings: dict, arguments: list[str], parent: int) -> int:
    """Runs a command in a warm process; the reference's jobs are recorded once. Returns its status."""
    sys.path.insert(0, os.path.dirname(__file__))
    if arguments[1:2] != ["parity.adapters.keras"]:
        connection = connect(folder, kind, settings)
        ask(connection, arguments)
        return wait(connection, parent)
    import recordings

    job = recordings.job_of(arguments)

    def start(printed) -> int:
        read, write = os.pipe()
        connection = connect(folder, kind, settings)
        ask(connection, arguments, write)
        os.close(write)
        return wait(connection, parent, read, printed)

    if job is None:
        return start(recordings.write_all)
    return recordings.once(recordings.Path(folder) / "recordings" / job.key, job, start)


def main(folder: str, arguments: list[str]) -> None:
    """Starts the command, warm where that is faithful, else as usual."""
    parent = os.getppid()
    with open(os.path.join(folder, "settings.json")) as file:
        settings = json.load(file)
    kind = kind_of(arguments)
    if arguments[:2] == ["-m", LOKY]:
        arguments = ["-c", START_LOKY, settings["warm_python"], *arguments[1:]]
    settings, suffix = as_started(settings)
    if kind is None or not same_surroundings(settings):
        os.execv(settings["python"], [settings["python"], *arguments])
    end_as(run(folder, kind + suffix, settings, arguments, parent))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
