"""Answers a task for Keras: `python -m parity.adapters.keras TASK.json`, started by `parity`."""

import sys
from functools import partial

from mlp_spec.experiment import Experiment
from parity.protocol.answer import Answers, main
from parity.protocol.task import Task


def prepare(task: Task) -> tuple[Answers, Experiment | None]:
    """Returns what answers each of the task's parts, and the experiment that is trained."""
    if task.seeds:
        from parity.adapters.keras import seeds

        return {"seeds": partial(seeds.train_seeds, task)}, None
    if task.checkpoint:
        from parity.adapters.keras import convert

        return {"read": partial(convert.read, task), "write": partial(convert.write, task)}, None
    if task.snippets:
        return {"snippets": partial(evaluate, task)}, None
    from parity.adapters.keras import answer

    reference = answer.Reference(task)
    return {part: partial(function, reference) for part, function in answer.PARTS.items()}, reference.experiment


def evaluate(task: Task):
    """Evaluates snippets on TensorFlow, on the CPU, in float32."""
    from keras_reference import backend
    from parity.protocol.records import Numbers
    from parity.traps.evaluate import evaluate as evaluate_snippets

    backend.start("cpu", "float32")
    return Numbers(numbers=evaluate_snippets(task.snippets.imports, task.snippets.snippets))


if __name__ == "__main__":
    sys.exit(main(prepare))
