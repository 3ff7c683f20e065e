"""The layers of a drawn model: they fit together, and skips, flattened features and penalties are ended rightly."""

from parity.selftest.honest.layers import Draw
from parity.selftest.honest.models import KINDS, Model, draw_layers, with_arguments

# Between a flattening in PyTorch's order and the kernel whose rows it turns.
BETWEEN = ("Dropout",)


def stacks(shape=(8, 8, 1), words=0):
    """Returns some drawn models."""
    return [draw_layers(Draw(seed), shape, words, 3, "softmax")[0] for seed in range(150)]


def test_a_model_ends_in_its_outputs():
    for layers in stacks():
        assert layers[-1].kind == "Dense" and layers[-1].shape == (3,)
        assert "activation='softmax'" in layers[-1].keras
        assert layers[-1].forward == "{layer}(x)"  # the port's output is its loss's


def test_a_skip_is_taken_up_once():
    for layers in stacks((14, 5)):
        kinds = [layer.kind for layer in layers if "skip" in layer.call]
        assert all(kind == "Skip" for kind in kinds[::2]) and "Skip" not in kinds[1::2] and len(kinds) % 2 == 0


def test_features_in_pytorchs_order_go_into_a_dense_layer():
    turned = 0
    for layers in stacks():
        kinds = [layer.kind for layer in layers]
        if "Flatten, channels first" in kinds:
            rest = kinds[kinds.index("Flatten, channels first") + 1 :]
            assert next(kind for kind in rest if kind not in BETWEEN) == "Dense"
            turned += 1
    assert turned > 20


def test_words_are_looked_up_first():
    for layers in stacks((12,), words=30):
        assert layers[0].kind.startswith("Embedding") and layers[0].shape[0] == 12


def test_a_penalty_stands_on_both_sides():
    layers = [layer for stack in stacks() for layer in stack]
    assert any(layer.penalty for layer in layers)
    for layer in layers:
        assert bool(layer.penalty) == ("kernel_regularizer" in layer.keras)
        assert layer.kind in KINDS


def test_all_kernels_start_alike_also_those_inside_of_another_layer():
    model = Model(Draw(0), (7, 3))
    for model.initializer in ("", "random_normal"):
        assert model.add("TimeDistributed") and model.add("Conv1D")
    assert ["kernel_initializer='random_normal'" in layer.keras for layer in model.layers] == [False, False, True, True]
    assert model.layers[2].keras.endswith("activation='tanh', kernel_initializer='random_normal'))")


def test_a_layer_that_does_not_fit_is_not_added():
    model = Model(Draw(0), (2,))
    assert not model.add("LayerNormalization") and model.layers == []
    assert model.add("Dense", units=5) and model.shape == (5,)


def test_arguments_are_added_to_a_call():
    assert with_arguments("Add()", []) == "Add()"
    assert with_arguments("ELU()", ["name='a'"]) == "ELU(name='a')"
    assert with_arguments("Dense(3)", ["name='a'", "b=1"]) == "Dense(3, name='a', b=1)"
