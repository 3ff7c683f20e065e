"""Settings of Keras's callbacks, and the script that has them decide: `CODE FOLDER STEPS EPOCHS SETTINGS-AS-JSON`."""

# By name: callbacks of `fit`, and the optimizer.
KERAS = {
    "none": ("", ""),
    "stop": ("C.EarlyStopping(patience=3)", ""),
    "stop at once": ("C.EarlyStopping()", ""),
    "stop of accuracy": ("C.EarlyStopping('val_accuracy', patience=3, min_delta=0.01)", ""),
    "restore": ("C.EarlyStopping(patience=3, restore_best_weights=True)", ""),
    "restore in steps": ("C.EarlyStopping(patience=3, restore_best_weights=True, min_delta=0.05)", ""),
    "late": ("C.EarlyStopping(patience=3, start_from_epoch=5)", ""),
    "long": ("C.EarlyStopping(patience=40)", ""),
    "nan": ("C.EarlyStopping('loss', patience=3), C.TerminateOnNaN()", ""),
    "plateau": ("C.ReduceLROnPlateau(patience=3, cooldown=2)", ""),
    "eager plateau": ("C.ReduceLROnPlateau('val_accuracy', factor=0.5, patience=0, min_delta=0.01, min_lr=1e-4)", ""),
    "quick plateau": ("C.ReduceLROnPlateau(factor=0.6, patience=1)", ""),
    "best": ("C.ModelCheckpoint('never/best.keras', save_best_only=True)", ""),
    "last": ("C.ModelCheckpoint('never/last.weights.h5', save_weights_only=True)", ""),
    "every": ("C.ModelCheckpoint('/never/{epoch:02d}-{val_loss:.2f}.keras')", ""),
    "missing": ("C.EarlyStopping('val_acc', mode='max', patience=3)", ""),
    "missing best": ("C.ModelCheckpoint('best.keras', 'val_acc', mode='max', save_best_only=True)", ""),
    "decay and plateau": (
        "C.LearningRateScheduler(lambda epoch, rate: rate * 0.5), C.ReduceLROnPlateau(patience=3, cooldown=2)",
        "2e-3",
    ),
    "accumulated decay": ("", "S.ExponentialDecay(1e-3, 3, 0.5), gradient_accumulation_steps=5"),
    "often": ("C.ModelCheckpoint('last.keras', save_freq=3)", ""),
    "loss plateau": ("C.ReduceLROnPlateau('loss', patience=3)", ""),
    "rate": ("C.LearningRateScheduler(lambda epoch, rate: 1e-3 * 0.9**epoch)", ""),
    "exponential": ("", "S.ExponentialDecay(1e-3, 7, 0.9)"),
    "stairs": ("", "S.ExponentialDecay(1e-3, 10, 0.9, staircase=True)"),
    "boundaries": ("", "S.PiecewiseConstantDecay([8, 20], [1e-3, 1e-4, 1e-5])"),
    "cosine": ("", "S.CosineDecay(1e-3, 20)"),
    "accumulated": ("", "1e-3, gradient_accumulation_steps=5"),
    "uneven": ("", "1e-3, gradient_accumulation_steps=4"),
    "watched": ("C.CSVLogger('log.csv'), C.TerminateOnNaN(), C.LambdaCallback()", ""),
}
CODE = """
import json, sys
from types import SimpleNamespace
from keras_reference import backend
backend.start("cpu", "float32", "tensorflow")
import keras
import numpy as np
from keras import callbacks as C
from keras.optimizers import schedules as S
from parity.adapters.keras.callbacks import answer_callbacks
from parity.protocol.inputs import Plan
from parity.protocol.task import write_record

folder, steps, epochs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
train, test = (np.zeros((steps * 8 - 3, columns)) for columns in (2, 1)), (np.zeros((4, columns)) for columns in (2, 1))
rows = SimpleNamespace(**dict(zip(("x_train", "y_train", "x_test", "y_test"), (*train, *test))))
model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
model.fit(rows.x_train[:8], rows.y_train[:8], verbose=0)
for name, (callbacks, rate) in json.loads(sys.argv[4]).items():
    model.optimizer = eval(f"keras.optimizers.Adam({rate})")
    reference = SimpleNamespace(
        fit_options={"callbacks": eval(f"[{callbacks}]")}, first=model, recorder=model, arrays=rows, batch_size=8,
        experiment=SimpleNamespace(training=SimpleNamespace(epochs=epochs)),
        file=SimpleNamespace(where=str), own_rate=None, rows_for_fit=lambda x, y: {"x": x, "y": y},
        plan=Plan(epochs, len(rows.x_train)),
    )
    import os
    os.makedirs(f"{folder}/{name}")
    write_record(f"{folder}/{name}", "callbacks", answer_callbacks(reference))
"""
