"""Evaluates small pieces of code in a framework's own process: `docs/traps.md` shows them.

This is the one place that runs code from a text, and it runs the catalogue's alone.
"""

import ast

from parity.protocol.records import Numbers
from parity.protocol.task import SnippetsTask


def evaluate_snippets(task: SnippetsTask) -> Numbers:
    """Returns the numbers of every snippet.

    Raises:
        ValueError: a snippet fails; the message names it.
    """
    names, numbers = {}, {}
    exec(task.imports, names)
    for name, code in task.snippets.items():
        try:
            numbers[name] = value_of(code, names)
        except Exception as error:
            raise ValueError(f"{name}: {type(error).__name__}: {error}") from error
    return Numbers(numbers=numbers)


def value_of(code: str, names: dict) -> list[float]:
    """Runs code and returns the numbers of its last line, as Python's own floats.

    Args:
        code: statements, the last of which is an expression: a vector of a framework, or a list of numbers.
        names: what the code finds without importing it; it is left as it is.

    Raises:
        ValueError: the last line is no expression.
    """
    *statements, last = ast.parse(code).body
    if not isinstance(last, ast.Expr):
        raise ValueError("the last line is no expression")
    space = dict(names)
    exec(compile(ast.Module(statements, []), "<snippet>", "exec"), space)
    return [float(number) for number in eval(compile(ast.Expression(last.value), "<snippet>", "eval"), space)]
