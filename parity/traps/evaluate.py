"""Small pieces of code that are evaluated in a framework's own process: `docs/traps.md` shows them.

Each framework's package has a `snippets` module that answers on standard output what it is asked on standard input.
"""

import ast
import json
import sys
from typing import TextIO


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


def answer(asked: TextIO = sys.stdin) -> None:
    """Prints the numbers of every snippet that is asked for, as the last line of standard output.

    Args:
        asked: JSON, `{"imports": "code", "snippets": {"name": "code", ...}}`.

    Raises:
        ValueError: a snippet fails; the message names it.
    """
    task, names, found = json.load(asked), {}, {}
    exec(task["imports"], names)
    for name, code in task["snippets"].items():
        try:
            found[name] = value_of(code, names)
        except Exception as error:
            raise ValueError(f"{name}: {type(error).__name__}: {error}") from error
    print(json.dumps(found))
