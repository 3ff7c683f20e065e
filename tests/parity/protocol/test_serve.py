"""A server forks a process for every request, tells how each ended, and ends when nobody asks any more."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parity.forking import Server
from parity.process import reap, stop

ADAPTER = """
import os, signal, sys, time

from parity.protocol.serve import serve

started = os.getpid()


def answer():
    what = sys.argv[1]
    print(what, os.getcwd(), os.getpid() == os.getpgid(0) != started, started)
    if what == "sleep":
        time.sleep(60)
    if what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "raises":
        raise RuntimeError("the reason")
    return int(sys.argv[2])


sys.exit(serve(answer))
"""


@pytest.fixture
def server(tmp_path):
    (tmp_path / "adapter.py").write_text(ADAPTER)
    places = f"{tmp_path}{os.pathsep}{Path(__file__).parents[3]}"
    server = Server("adapter", {**os.environ, "PYTHONPATH": places, "PYTHONUNBUFFERED": "1"})
    assert server.is_ready(lambda: None)
    yield server
    server.close()


@pytest.mark.parametrize(("what", "status"), [("ends", 0), ("ends", 3), ("killed", -9), ("raises", 1)])
def test_a_forked_process_answers_in_our_folder_and_its_end_is_told(server, what, status, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for _ in range(2):  # one start serves both
        process, output = server.fork([what, str(status)])
        with output:
            lines = output.read().decode().splitlines()
        assert lines[0] == f"{what} {tmp_path} True {server.process.pid}"
        assert (lines[-1] == "RuntimeError: the reason") == (what == "raises")
        assert reap(process, 10) > 1 and process.returncode == status


def test_a_forked_process_is_stopped_by_its_group(server):
    process, output = server.fork(["sleep", "0"])
    assert output.readline() and reap(process) is None
    stop(process)
    assert process.returncode == -signal.SIGTERM
    output.close()


def test_what_nobody_listens_to_is_stopped(server):
    process, output = server.fork(["sleep", "0"])
    assert output.readline()
    process.status.close()
    started = time.monotonic()
    assert output.read() == b""  # its end was closed with the process
    assert time.monotonic() - started < 20
    output.close()


def test_a_server_ends_with_the_one_that_asks(tmp_path):
    (tmp_path / "adapter.py").write_text(ADAPTER)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    env = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path(__file__).parents[3]}"}
    command = [sys.executable, "-m", "adapter", "--serve"]
    with subprocess.Popen(command, env=env, stdin=theirs) as process:
        theirs.close()
        assert ours.recv(10) == b"ready"
        ours.close()
        assert process.wait(timeout=20) == 0
