"""The rates of a training in Keras, and its updates: those that the schedule and the optimizer have step by step."""

import json

from conftest import run_python

SCRIPT = """
import json
import keras
import numpy as np
from keras.optimizers import schedules as S
from parity.adapters.keras import schedules


class Own(S.LearningRateSchedule):
    def __call__(self, step):
        return 1.0 / (int(step) + 1)

    def get_config(self):
        return {"named": "own", "start": 0.5, "of": [1, 2], "other": object()}


answers = {"rates": {}}
for name, one in {
    "piecewise": S.PiecewiseConstantDecay([5, 20], [1.0, 0.1, 0.01]),
    "cosine": S.CosineDecay(0.1, 10, warmup_target=1.0, warmup_steps=3),
}.items():
    rates = schedules.step_rates([], keras.optimizers.SGD(one), 3, 10)
    answers["rates"][name] = [len(rates), float(np.abs(rates - [float(one(step)) for step in range(130)]).max())]
    answers["longer"] = len(schedules.step_rates([], keras.optimizers.SGD(one), 30, 10))
answers["own"] = schedules.rates_of(Own(), 4).tolist()
answers["described"] = schedules.describe_schedule(Own()).settings
halving = keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)
answers["halved"] = schedules.step_rates([halving], keras.optimizers.SGD(1.0), 3, 2).tolist()
answers["none"] = schedules.step_rates([], keras.optimizers.SGD(1.0), 3, 2).size
answers["updates"] = schedules.updates_of(3, 10).nonzero()[0].tolist()
answers["every"] = [schedules.accumulation_of(keras.optimizers.SGD(**one)) for one in (
    {}, {"gradient_accumulation_steps": 4})]
print(json.dumps(answers))
"""


def test_rates_and_updates_are_those_of_every_step(tmp_path):
    ended = run_python("-c", SCRIPT, tmp_path)
    assert ended.status == 0, ended.err
    found = json.loads(ended.out.splitlines()[-1])
    assert {name: count for name, (count, _) in found["rates"].items()} == {"piecewise": 130, "cosine": 130}
    assert found["longer"] == 300
    assert all(gap < 1e-6 for _, gap in found["rates"].values())
    assert found["own"] == [1, 0.5, 1 / 3, 0.25] and found["none"] == 0
    assert found["described"] == {"named": "own", "start": 0.5, "of": [1, 2], "schedule": True}
    assert found["halved"] == [0.5, 0.5, 0.25, 0.25, 0.125, 0.125]
    # two epochs of 10: the second one goes on with the gradients of the first
    assert found["updates"] == [2, 5, 8, 11, 14, 17] and found["every"] == [1, 4]
