"""A model that was trained before it is compared: a copy is; or itself, made to train anew."""

import json

from conftest import run_python

SCRIPT = """
import json, sys
from pathlib import Path
from keras_reference import backend
backend.start("cpu", "float32", "tensorflow")
import keras
import numpy as np
from mlp_spec.support.errors import UserError
from parity.adapters.keras import record, trained

model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
fit = lambda: model.fit(np.ones((8, 2)), np.ones((8, 1)), batch_size=4, verbose=0)
steps = [trained.steps_of(model)]
fit()
steps.append(trained.steps_of(model))
kept, copy = trained.untrained(model, True, lambda: keras.models.clone_model(model))
answers = [steps, kept is model, copy is not model]


def refuse():
    raise UserError("it has no configuration")


kept, same = trained.untrained(model, True, refuse)
record.record_losses(model, 2)
fit()  # by a step that is made anew: the old one knows of no losses
answers += [kept is None, same is model, len(record.recorded_losses(model))]
model.compile(keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=1.0), "mse")  # the average is the first step's
weights = []
for is_going_on in (True, False):
    with trained.without_averages(model, is_going_on):
        fit()
    averages = [np.array(one) for one in model.optimizer._model_variables_moving_average]
    weights.append(all(np.array_equal(a, b) for a, b in zip(averages, model.get_weights())))
answers.append(weights)
print(json.dumps(answers))
"""


def test_a_trained_model_is_copied_or_trains_anew_and_averages_take_their_place_at_the_end():
    ended = run_python("-c", SCRIPT)
    assert ended.status == 0, ended.err
    notes = [line for line in ended.out.splitlines() if line.startswith("@parity")]
    assert json.loads(ended.out.strip().splitlines()[-1]) == [[0, 2], True, True, True, True, 2, [False, True]]
    assert len(notes) == 1 and "trained for 2 steps" in notes[0]
