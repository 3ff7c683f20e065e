"""The lab's steps, cut from the source that runs."""

import ast

import pytest

from parity.report.page import idioms
from parity.traps.catalogue import TRAPS


@pytest.mark.parametrize("step", idioms.STEPS, ids=lambda step: step.title)
def test_idioms_are_cut_from_the_real_source(step):
    for cut in (*step.keras, *step.lightning):
        code = idioms.cut_source(cut)
        text = (idioms.ROOT / cut.path).read_text()
        assert code.strip() and '"""' not in code
        for line in filter(str.strip, code.splitlines()):
            assert line.strip() in text
        for wanted in cut.containing:
            assert wanted in code


def test_the_labs_steps_are_all_there():
    assert [step.title.lower() for step in idioms.STEPS] == (
        "load look reshape scale encode build summarise compile fit history plot".split()
    )


def test_the_traps_of_the_idioms_are_in_the_catalogue():
    traps = [trap for step in idioms.STEPS for trap in step.traps]
    assert "adam-epsilon-place" in traps and set(traps) <= set(TRAPS) and len(traps) == len(set(traps))


@pytest.mark.parametrize(("name", "containing"), [("LitMLP.gone", ()), ("LitMLP.forward", ("gone()",))])
def test_a_name_that_is_gone_is_an_error(name, containing):
    with pytest.raises(LookupError, match="gone"):
        idioms.cut_source(idioms.Cut("lightning_mlp/model.py", name, containing))


SOURCE = '''\
class Net:
    """What it is."""

    size = 3

    def forward(self, x):
        """Says nothing."""
        if x:
            return x
        return None
'''


def test_a_docstring_and_the_empty_lines_after_it_are_left_out():
    (net,) = ast.parse(SOURCE).body
    assert idioms.source_without_docstring(SOURCE, net).splitlines()[:2] == ["class Net:", "    size = 3"]
    assert idioms.source_without_docstring(SOURCE, net.body[2]).splitlines()[0] == "def forward(self, x):"
    assert "Says nothing" not in idioms.source_without_docstring(SOURCE, net.body[2])
    assert idioms.source_without_docstring(SOURCE, net.body[1]) == "size = 3"


def test_the_smallest_statement_with_a_text_is_found():
    (net,) = ast.parse(SOURCE).body
    cut = idioms.Cut("net.py", "Net")
    statement = idioms.smallest_statement(SOURCE, net, "return x", cut)
    assert idioms.source_of(SOURCE, statement) == "return x"
    with pytest.raises(LookupError, match=r"net.py, Net has no statement with 'return y'"):
        idioms.smallest_statement(SOURCE, net, "return y", cut)


def test_code_is_coloured_and_no_character_is_lost():
    code = "def f(x):  # why\n    return 'a' + 1\n"
    tokens = idioms.highlight(code)
    assert "".join(text for _, text in tokens) == code
    assert {("keyword", "def"), ("name", "f"), ("comment", "# why"), ("number", "1")} <= set(tokens)
    assert all(style == "" for style, text in tokens if text.strip() in ("x", "+", "("))


def test_steps_are_built_with_both_sides():
    steps = idioms.build_steps()
    assert [side["title"] for side in steps[0]["sides"]] == ["Keras", "Lightning"]
    assert steps[0]["sides"][0]["location"] == "keras_reference/data.py, download"
    assert all(side["tokens"] for step in steps for side in step["sides"])
