"""Keras's own callbacks on a carrier: the files that they leave, by epochs and by batches, are those of a `fit`."""

import json

from conftest import run_python

SCRIPT = """
import json, os, re, sys
import keras
import numpy as np
from keras import callbacks as C
from parity.adapters.keras import deciding
from parity.protocol.callbacks import metric_lists

os.chdir(sys.argv[1])
lists = {name: metric_lists(24)[name][:6] for name in ("noisy", "with NaN in the first epoch")}
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "mse", metrics=["mae"])
rows = np.ones((26, 2)), np.ones((26, 1))
answers, values = {}, None


class Values(C.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if values is not None:
            logs.update(dict.fromkeys(logs, float(values[epoch])))


def files_of(callback):
    model.fit(*rows, batch_size=4, epochs=6, verbose=0, callbacks=[Values(), callback], validation_data=rows)
    files = os.listdir("files")
    for name in files:
        os.remove("files/" + name)
    return sorted(int(re.findall("([0-9]+)[.]weights", name)[0]) for name in files)


def best():
    return C.ModelCheckpoint("files/{val_mae:.1f}-{epoch}.weights.h5", save_best_only=True, save_weights_only=True)


logged = ["loss", "mae", "val_loss", "val_mae"]
_, kept = deciding.Lists([best(), C.EarlyStopping()], keras.optimizers.SGD(), lists, logged).files()
answers["epochs"] = []
for number, values in enumerate(lists.values()):
    answers["epochs"].append([files_of(best()), (kept[0, number].nonzero()[0] + 1).tolist()])
values = None
answers["batches"] = []
for together in (1, 3):
    model.compile("sgd", "mse", metrics=["mae"], steps_per_execution=together)
    for every in (3, 7, 10):
        def saving():
            name = f"files/{{epoch}}-{{loss:.0f}}-{{batch}}.weights.h5"
            return C.ModelCheckpoint(name, save_weights_only=True, save_freq=every)

        loaded, kept = deciding.saved_batches([saving()], model.optimizer, 42, 7, together, logged)
        batches = kept[0].nonzero()[0]
        steps = (loaded[0][1:] != loaded[0][:-1]).nonzero()[0] + 1
        ends = sorted((batches % 7 + 1).tolist())
        # the last call of an epoch has one batch of 7, and Keras counts 9
        files = sorted(min(one, 7) for one in files_of(saving()))
        answers["batches"].append([files, ends, steps.tolist() == batches.tolist()])
print(json.dumps(answers))
"""


def test_files_are_those_of_a_fit(tmp_path):
    (tmp_path / "files").mkdir()
    ended = run_python("-c", SCRIPT, tmp_path)
    assert ended.status == 0, ended.err
    found = json.loads(ended.out.splitlines()[-1])
    for real, simulated in found["epochs"]:
        assert real == simulated, found
    assert found["epochs"][1][0] == [1]  # what is no number stays the best
    for real, simulated, changes in found["batches"]:
        assert real == simulated and len(real) > 1 and changes, found
