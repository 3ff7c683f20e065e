"""Evaluates the snippets of the traps, in a process of one framework.

This is the only place that executes code given as text, and it executes the catalogue's alone.
"""

import ast

from parity.protocol.records import Numbers
from parity.protocol.task import Task


def answer_snippets(task: Task) -> Numbers:
    """Evaluates the task's snippets on the CPU, in float32; Keras's on TensorFlow."""
    if task.backend:  # Keras's; torch needs no start
        from keras_reference import backend

        backend.start("cpu", "float32", task.backend)
    return Numbers(numbers=evaluate(task.snippets.imports, task.snippets.snippets))


def evaluate(imports: str, snippets: dict[str, str]) -> dict[str, list[float]]:
    """Returns the numbers of every snippet by its name; no snippet sees another's variables.

    Args:
        imports: code that is executed once, before all snippets.
        snippets: code by name; the last line is an expression: a vector of the framework, or a list of numbers.

    Raises:
        ValueError: a snippet fails; the message names it.
    """
    names, numbers = {}, {}
    exec(imports, names)
    for name, code in snippets.items():
        try:
            numbers[name] = evaluate_snippet(code, names)
        except Exception as error:
            raise ValueError(f"{name}: {type(error).__name__}: {error}") from error
    return numbers


def evaluate_snippet(code: str, names: dict) -> list[float]:
    """Runs code and returns the numbers of its last line, as Python's own floats.

    Args:
        code: statements, the last of which is an expression of numbers.
        names: what the code can use without importing it; it is left unchanged.

    Raises:
        ValueError: the last line is not an expression.
    """
    *statements, last = ast.parse(code).body
    if not isinstance(last, ast.Expr):
        raise ValueError("the last line is not an expression")
    variables = dict(names)
    exec(compile(ast.Module(statements, []), "<snippet>", "exec"), variables)
    return [float(number) for number in eval(compile(ast.Expression(last.value), "<snippet>", "eval"), variables)]


PARTS = {"snippets": answer_snippets}
