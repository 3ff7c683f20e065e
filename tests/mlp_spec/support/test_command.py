"""How commands end: exit status, message and never a traceback for a user's mistake."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT, run_python

from mlp_spec.support import command
from mlp_spec.support.command import Interrupted
from mlp_spec.support.errors import UserError


def raising(error):
    def run():
        raise error

    return run


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (1, 1), (3, 3)])
def test_a_command_that_returns_ends_with_its_status(returned, status, capsys):
    assert command.run(lambda: returned) == status
    assert capsys.readouterr() == ("", "")


def test_a_users_mistake_ends_with_2_and_its_message(capsys):
    assert command.run(raising(UserError("--epochs is 0; give more"))) == 2
    assert capsys.readouterr() == ("", "error: --epochs is 0; give more\n")


def test_an_interruption_ends_with_130_and_says_what_was_kept(capsys):
    assert command.run(raising(Interrupted("Epoch 3 is in runs/one."))) == 130
    assert capsys.readouterr() == ("", "\nInterrupted. Epoch 3 is in runs/one.\n")


def test_ctrl_c_ends_with_130(capsys):
    assert command.run(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr() == ("", "\nInterrupted. Nothing had been finished.\n")


@pytest.mark.parametrize("error", [ValueError("a defect"), SystemExit(2), OSError("no space")])
def test_a_defect_is_not_hidden(error):
    with pytest.raises(type(error)) as caught:
        command.run(raising(error))
    assert caught.value is error


COMMAND = """
import sys
from mlp_spec.support import command
from mlp_spec.support.errors import UserError

def run():
    {body}

sys.exit(command.run(run))
"""


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ("print('done')", 0, ""),
        ("raise UserError('--epochs is 0')", 2, "error: --epochs is 0\n"),
        ("raise command.Interrupted('All is in runs/one.')", 130, "\nInterrupted. All is in runs/one.\n"),
        ("raise KeyboardInterrupt", 130, "\nInterrupted. Nothing had been finished.\n"),
    ],
)
def test_a_process_ends_alike_and_without_a_traceback(body, status, words):
    ended = run_python("-c", COMMAND.format(body=body))
    assert (ended.status, ended.err) == (status, words)


@pytest.mark.parametrize("lines", [1, 100_000])
@pytest.mark.parametrize("unbuffered", [(), ("-u",)], ids=["buffered", "unbuffered"])
def test_a_reader_that_goes_away_causes_no_traceback(lines, unbuffered):
    body = f"sys.stdin.read(); [print('a line of output') for _ in range({lines})]"
    process = subprocess.Popen(
        [sys.executable, *unbuffered, "-c", COMMAND.format(body=body)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"},
        text=True,
    )
    process.stdout.close()
    _, err = process.communicate(timeout=60)
    assert err == ""
    assert process.returncode == 141
