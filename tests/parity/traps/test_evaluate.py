"""Snippets: the last line's numbers, and what is said of one that fails."""

import io
import json

import pytest

from parity.traps import evaluate as snippets


def test_the_numbers_of_the_last_line_are_returned():
    names = {"start": 1}
    assert snippets.value_of("one = start\n[one, one + 1, 2.5]", names) == [1.0, 2.0, 2.5]
    assert names == {"start": 1}


def test_a_last_line_without_a_value_is_refused():
    with pytest.raises(ValueError, match="no expression"):
        snippets.value_of("one = 1", {})


def test_snippets_are_answered_one_by_one_and_do_not_see_each_other(capsys):
    asked = {"imports": "import math", "snippets": {"a": "x = math.pi\n[x, 0, 1]", "b": "['x' in dir(), 2, 3]"}}
    snippets.answer(io.StringIO(json.dumps(asked)))
    assert json.loads(capsys.readouterr().out) == {"a": [3.141592653589793, 0.0, 1.0], "b": [0.0, 2.0, 3.0]}


def test_a_snippet_that_fails_is_named():
    asked = {"imports": "", "snippets": {"good": "[1]", "broken": "[1 / 0]"}}
    with pytest.raises(ValueError, match="broken: ZeroDivisionError"):
        snippets.answer(io.StringIO(json.dumps(asked)))
