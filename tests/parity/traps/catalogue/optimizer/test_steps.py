"""The code of the examples that take steps: the same on both sides, with the lines that a trap adds."""

import ast
from inspect import cleandoc

import pytest

from parity.traps.catalogue.optimizer import steps


@pytest.mark.parametrize(
    ("keras_code", "port_code"),
    [
        (steps.first_step_in_keras("SGD()", "[1.0]"), steps.first_step_in_torch("torch.optim.SGD([w])", "[1.0]")),
        (steps.three_steps_in_keras("SGD()"), steps.three_steps_in_torch("torch.optim.SGD([w])")),
    ],
)
def test_both_codes_end_with_an_expression(keras_code, port_code):
    for code in map(cleandoc, (keras_code, port_code)):  # as the page shows it
        assert isinstance(ast.parse(code).body[-1], ast.Expr) and "SGD" in code


def test_further_lines_stand_where_they_act():
    lines = steps.first_step_in_torch("torch.optim.SGD([w])", "[1.0]", before="clip()").splitlines()
    assert lines.index("clip()") == lines.index("optimizer.step()") - 1
    lines = steps.three_steps_in_torch("O", after_optimizer="schedule = S", after_step="schedule.step()").splitlines()
    assert lines.index("schedule = S") == lines.index("optimizer = O") + 1
    assert lines.index("    schedule.step()") == lines.index("    optimizer.step()") + 1


def test_without_further_lines_none_is_left_empty():
    for code in (steps.first_step_in_torch("O", "[1.0]"), steps.three_steps_in_torch("O")):
        assert all(line.strip() for line in code.splitlines())


def test_a_trap_of_plain_sgd_has_keras_steps_of_one_hundredth():
    trap = steps.sgd_trap(
        id="id",
        title="title",
        what="what",
        port="w",
        shows="shows",
        port_code="[0, 0, 0]",
        port_numbers=(0.0, 0.0, 0.0),
    )
    assert trap.keras == "w -= lr g" and trap.keras_numbers == pytest.approx([-0.01, -0.02, -0.03])
