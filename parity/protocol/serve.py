"""Answers many tasks with one start of a framework: each in a process that is forked once all is imported.

A request is one message, the task's arguments in JSON, with two descriptors: where the process prints, and where is
told which process it is and how it ended (`parity.forking`). The forked process is kept by another one, which waits
for it, and stops it when nobody listens any more.
"""

import contextlib
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable

SERVE = "--serve"  # the only argument of a server
READY = b"ready"
LARGEST = 1 << 16  # bytes of a request


def serve(answer: Callable[[], int]) -> int:
    """Forks a process for every request until the connection is closed; returns the exit status, in each of them too.

    The connection, a socket of packets, is the standard input; the processes have none.

    Args:
        answer: answers what `sys.argv` asks; returns the exit status.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the keepers
    with socket.socket(fileno=0) as connection:
        connection.send(READY)
        while True:
            message, descriptors, _, _ = socket.recv_fds(connection, LARGEST, 2)
            if not message:
                return 0
            if not os.fork():
                break
            for one in descriptors:
                os.close(one)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    output, status = descriptors
    if worker := os.fork():
        os.close(output)
        keep(worker, status)
    os.close(status)
    os.setsid()  # it is stopped with all that it starts
    for standard, one in enumerate((os.open(os.devnull, os.O_RDONLY), output, output)):
        os.dup2(one, standard)
    os.close(output)
    request = json.loads(message)
    os.chdir(request["folder"])
    sys.argv[1:] = request["arguments"]
    return answer()


def keep(worker: int, status: int) -> None:
    """Tells which process was forked, waits for it, tells how it ended, and ends; see the module.

    Args:
        worker: its number.
        status: descriptor of what is told: a line with the number, then one with exit status, negative where a signal
            killed it, and `ru_maxrss`.
    """  # fmt: skip
    waiting = select.poll()
    waiting.register(os.pidfd_open(worker), select.POLLIN)
    waiting.register(status, 0)  # an error is told in any case: the other end is closed
    try:
        os.write(status, b"%d\n" % worker)
        if any(one == status for one, _ in waiting.poll()):
            os.kill(worker, signal.SIGKILL)
            with contextlib.suppress(ProcessLookupError):  # it had not got so far as to have a group
                os.killpg(worker, signal.SIGKILL)
        _, ended, usage = os.wait4(worker, 0)
        os.write(status, b"%d %d\n" % (os.waitstatus_to_exitcode(ended), usage.ru_maxrss))
    finally:
        os._exit(0)
