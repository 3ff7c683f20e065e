"""A difference: the code that is measured, and what the page shows of it."""

import ast

from parity.traps.layers.difference import Difference, show

ENTRY = Difference(
    id="id",
    kinds=("LSTM",),
    title="title",
    what="one\n   line",
    keras="layers.LSTM(4)",
    port="nn.LSTM(3, 4)",
    right="KerasLSTM(3, 4)",
    right_call="module(x)[0]",
    x="draw(2, 5, 3)",
    size=0.1,
    largest=1.0,
    sizes={"units": 4},
)


def test_prose_that_is_wrapped_in_the_source_is_one_line():
    assert ENTRY.what == "one line"


def test_the_code_is_one_expression():
    for code in (ENTRY.keras_code, ENTRY.port_code, ENTRY.right_code):
        (call,) = ast.parse(code).body
        assert ast.unparse(call.value.func) == "measure"
    assert "lambda layer, x, training: layer(x, training=training)" in ENTRY.keras_code
    assert "'LSTM', {'units': 4}, 'evaluation', ('SGD', 0.1)" in ENTRY.keras_code
    assert "lambda module, x: module(x)[0]" in ENTRY.right_code and ENTRY.right_code.endswith(", True)")


def test_what_is_shown_is_what_is_written():
    assert ENTRY.shown == {"keras": "layers.LSTM(4)", "port": "nn.LSTM(3, 4)", "right": "KerasLSTM(3, 4)(x)[0]"}


def test_a_layer_that_is_used_twice_gets_a_name():
    assert show("module", "nn.Linear(2, 2)", "module.weight @ module.bias") == (
        "module = nn.Linear(2, 2); module.weight @ module.bias"
    )
    assert show("module", "nn.Identity()", "x / 2") == "x / 2"
