"""The command `python -m parity.adapters.torch`: it answers what it is asked, and imports torch only to do so."""

import pytest
from conftest import run_python

from parity.process import ask
from parity.protocol.task import SnippetsTask, Task


def test_snippets_are_evaluated_in_float32(tmp_path):
    code = "import torch\ntorch.ones(3) / 3"
    task = Task(("snippets",), str(tmp_path), backend="", snippets=SnippetsTask("", {"third": code}))
    side = ask("lightning", task, task.write(tmp_path / "lightning.json"), 300.0)
    assert side.errors == {} and side.parts["snippets"].numbers == {"third": [0.3333333432674408] * 3}


def test_without_a_readable_task_it_ends_with_an_error(tmp_path):
    ended = run_python("-m", "parity.adapters.torch", tmp_path / "none.json")
    assert ended.status != 0 and "none.json" in ended.err


@pytest.mark.parametrize("module", ["parity.adapters.torch.__main__", "parity.adapters.torch.candidate"])
def test_importing_it_imports_no_framework(module):
    code = f"import {module}, sys; print([name for name in ('keras', 'tensorflow', 'torch') if name in sys.modules])"
    assert run_python("-c", code, cold=True).out.strip() == "[]"
