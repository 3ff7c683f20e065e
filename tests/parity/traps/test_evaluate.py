"""Snippets in a worker process: the numbers of the last line, and the name of one that fails."""

import pytest

from parity.traps import evaluate


def test_the_numbers_of_the_last_line_are_returned():
    names = {"start": 1}
    assert evaluate.evaluate_snippet("x = start\n[x, x + 1, 2.5]", names) == [1.0, 2.0, 2.5]
    assert names == {"start": 1}


def test_a_last_line_without_a_value_is_refused():
    with pytest.raises(ValueError, match="not an expression"):
        evaluate.evaluate_snippet("x = 1", {})


def test_snippets_are_evaluated_one_by_one_and_do_not_see_each_other():
    snippets = {"a": "x = math.pi\n[x, 0, 1]", "b": "['x' in dir(), 2, 3]"}
    numbers = evaluate.evaluate("import math", snippets)
    assert numbers == {"a": [3.141592653589793, 0.0, 1.0], "b": [0.0, 2.0, 3.0]}


def test_a_snippet_that_fails_is_named():
    with pytest.raises(ValueError, match="broken: ZeroDivisionError"):
        evaluate.evaluate("", {"good": "[1]", "broken": "[1 / 0]"})
