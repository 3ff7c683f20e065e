# %% [markdown]
# # The MNIST lab, twice
#
# **This is the Lightning notebook.** Its twin, [keras_lab.ipynb](keras_lab.ipynb), takes the same steps in Keras, cell
# by cell under the same headings. Open both side by side: each cell faces its counterpart.
#
# A program learns to read handwritten digits. You load small images, train a network with one hidden layer of 25
# neurons on them, see how well it does, train a bigger network, and choose a network of your own.
#
# The notebook calls this project's code, and where it prints source, it prints what runs. Three marks come up:
#
# - **Question**: answer it before you run the next cell.
# - **Silent difference**: Keras and PyTorch do different things here, and neither says so.
# - **Correction**: the "Introduction to Keras" lab, which these steps follow, has it wrong or out of date.

# %% [markdown]
# ## What you need
#
# Python 3.11 or newer and make. Once, in the project's folder:
#
# ```sh
# make install                                   # the packages, in .venv
# .venv/bin/python -m pip install jupyterlab     # or any other program that opens notebooks
# .venv/bin/jupyter lab notebooks
# ```
#
# MNIST is downloaded. If you have its four files in a folder already, set the environment variable `MLP_DATA_DIR` to
# that folder before you start Jupyter. Without either, the notebook says so and takes 5,000 real digits that come
# with the packages; accuracies are lower then, because the network sees a fifteenth of the images in every epoch.
#
# The next cell holds what you may want to change. As it stands, the notebook takes a few minutes on two processor
# cores.

# %% tags=["parameters"]
dataset = "auto"  # MNIST; "mnist-sample" takes the 5,000 digits of the packages
epochs_small, epochs_bigger, epochs_own = 10, 20, 10

# %%
import inspect
import os
import sys
from pathlib import Path

import lightning
import torch
from IPython.display import Image

from keras_like.optimizers import KerasAdam
from lightning_mlp import device as devices
from lightning_mlp import train
from lightning_mlp.callbacks import Bar
from lightning_mlp.data import MNISTDataModule, hold
from lightning_mlp.history import History
from lightning_mlp.model import LitMLP
from mlp_spec.experiment import PRESETS
from mlp_spec.runs import fitting, pictures

device = devices.choose("auto")
train.quieten()  # Lightning without its remarks about every run
train.use_threads(device, PRESETS["bigger"])  # small steps are faster on one thread
folder = Path("runs") / "lightning_lab"  # for the pictures
folder.mkdir(parents=True, exist_ok=True)
print(f"Lightning {lightning.__version__} with torch {torch.__version__}", end=", ")
print(f"on the {device.upper()}")

# %% [markdown]
# ## Load the data
#
# Lightning keeps everything about data in a `LightningDataModule`: how to fetch the images, how to prepare them, and in
# which order to hand them out. Its method `prepare_data` fetches them and compares them with the known checksum of the
# data set.

# %%
datamodule = MNISTDataModule(dataset, os.environ.get("MLP_DATA_DIR"), batch_size=32)
datamodule.prepare_data()
digits = datamodule.digits
print(f"{digits.dataset}, from {digits.source}")
print(f"to train with: {len(digits.train_labels):,} images")
print(f"to test with: {len(digits.test_labels):,} images")

# %% [markdown]
# ## Look at the data
#
# Every image is a square of 28 x 28 pixels, every label the digit that it shows. The first training image of the full
# MNIST is a 5.
#
# **Correction.** The lab says that pixels are `int8`. They are `uint8`, whole numbers from 0 (background) to 255
# (ink).

# %%
print("images:", digits.train_images.shape, digits.train_images.dtype)
print("pixels:", digits.train_images.min(), "to", digits.train_images.max())
print("labels:", digits.train_labels.shape, digits.train_labels.dtype)
print("the first ten labels:", digits.train_labels[:10])

# %%
path, label = folder / "first_image.png", int(digits.train_labels[0])
pictures.first_image(digits.train_images[0], label, path)
Image(filename=path, alt=f"The first training image: a handwritten {label}")

# %% [markdown]
# **Question 1.** `int8` holds whole numbers from -128 to 127. What would the inkiest pixel become in it? Guess, then
# try `digits.train_images[0].max().astype("int8")` in a cell of your own.

# %% [markdown]
# ## Reshape and scale
#
# A linear layer takes a row of numbers, so each square becomes a row of 784. Pixels become `float32` between 0 and 1:
# the sums of hundreds of values up to 255 would drive a sigmoid to where it is flat, and a flat sigmoid learns little.
#
# **Silent difference.** `/ 255` and `* (1 / 255)` are not the same: in `float32` they disagree about 126 of the 256
# possible pixels, in the last bit. Both notebooks divide, so both networks see equal numbers.

# %%
print(inspect.getsource(hold))
print(inspect.getsource(MNISTDataModule.setup))

# %%
datamodule.setup()  # `fit` will call it, too
x_train, y_train = datamodule.train_set.tensors
x_test, y_test = datamodule.val_set.tensors
print("training images:", tuple(x_train.shape), x_train.dtype)
print("pixels:", x_train.min().item(), "to", x_train.max().item())
print("test images:", tuple(x_test.shape), x_test.dtype)

# %% [markdown]
# ## Encode the labels
#
# The network will have ten outputs, one a digit. PyTorch's `cross_entropy` takes the label as a number and looks at the
# output in that place, so there is nothing to encode: `hold` only made the labels `int64`, the type that it asks for.
# In Keras, `categorical_crossentropy` wants a **one-hot** row, a 1 in the label's place and 0 elsewhere; the loss is
# the same.

# %%
print("label", digits.train_labels[0], "became", y_train[0])
print("as in Keras:", torch.nn.functional.one_hot(y_train[0], 10))

# %% [markdown]
# **Question 2.** The loss of one image is $-\ln p$, where $p$ is the probability that the network gives to the right
# digit. What is the loss of a network that guesses blindly, with $p = 1/10$ for every digit? Remember the number when
# you see the loss of the first epoch.

# %% [markdown]
# ## Build the model
#
# A `LightningModule` holds the layers and everything that is done with them. Its layers are a stack, each fed by the
# one before it: 784 inputs, 25 neurons with a sigmoid, and 10 outputs.
#
# **Silent difference.** There is no softmax here: the module returns what would go into it (the *logits*), because
# PyTorch's `cross_entropy` applies it itself. In Keras the softmax is part of the model, which returns probabilities.
# Softmax twice, as when that model is copied to PyTorch layer by layer, raises no error: training merely cannot bring
# the loss below 1.46.

# %%
print(inspect.getsource(LitMLP.__init__))
print(inspect.getsource(LitMLP.forward))

# %%
sgd = {"optimizer": "sgd", "learning_rate": 0.01}  # in Keras, `compile` is told this
model = LitMLP(hidden_sizes=(25,), activation="sigmoid", **sgd)
answer = model(x_train[:1]).softmax(dim=1)[0].detach().numpy()
print("untrained, of the first image:", answer.round(3))
print("sum:", answer.sum().round(3))

# %% [markdown]
# **Correction.** TensorFlow is no longer only static graphs that are built first and run later, as in the days of the
# lab: like PyTorch, it has its numbers at once (*eagerly*) when a model is called like a function, as in the cell
# above. Keras's `fit` still makes a graph of the training step, for speed. Lightning's does not; this project's fast
# path does (`python -m lightning_mlp.train --preset bigger --compile`).
#
# **Silent difference.** The untrained network already differs. PyTorch's `nn.Linear` draws weights *and* biases evenly
# from $\pm 1 / \sqrt{\mathrm{inputs}}$. Keras's `Dense` draws its weights from
# $\pm\sqrt{6 / (\mathrm{inputs} + \mathrm{outputs})}$ (Glorot's rule), for the first layer here a range more than twice
# as wide, and starts with biases of 0. `LitMLP` does as Keras does, by `xavier_uniform_` and `zeros_` above.

# %%
weight, bias, *_ = model.parameters()
print(f"Glorot's limit: {(6 / (784 + 25)) ** 0.5:.4f}")
print(f"PyTorch's own limit: {1 / 784**0.5:.4f}")
print(f"weights up to {weight.abs().max():.4f}")
print(f"biases up to {bias.abs().max():.4f}")

# %% [markdown]
# ## Summarise the model
#
# The summary lists the layers, what each puts out (`None` stands for the number of images, which is left open) and how
# many numbers it can learn. Lightning's own `ModelSummary` rounds them (19.9 K), so the project prints a table like
# Keras's.
#
# **Question 3.** How do 784 inputs and 25 neurons come to 19,625 numbers, and 25 neurons and 10 outputs to 260?

# %%
train.show(model)

# %% [markdown]
# ## Compile the model
#
# Lightning has no `compile`. What Keras is told there stands in two methods of the module: `training_step` says what
# the loss is, and `configure_optimizers` which optimizer makes it smaller. The optimizer here is stochastic gradient
# descent (SGD): after each batch of images, every weight $w$ takes a small step against the gradient of the batch's
# loss $L$, $w \leftarrow w - 0.01 \cdot \partial L / \partial w$.
#
# **Silent difference.** PyTorch's default step size for SGD is 0.001. Keras's is 0.01, ten times larger.

# %%
print(inspect.getsource(LitMLP.training_step))
print(inspect.getsource(LitMLP.configure_optimizers))

# %%
optimizer = model.configure_optimizers()  # `fit` will call it, too
rate = optimizer.defaults["lr"]
print(type(optimizer).__name__, f"with a learning rate of {rate:.4g}")

# %% [markdown]
# ## Fit the model
#
# An *epoch* goes once through all training images, in batches of 32. After each, the test images are read without
# learning from them; their numbers are called `val_loss` and `val_acc`. A `Trainer` runs the epochs and calls the
# module's methods in turn.
#
# **Correction.** The lab writes `model = model.fit(...)`. In Keras, `fit` does not return the model but a `History`, so
# this line overwrites the trained model with its curves. In Lightning, `fit` returns nothing at all: the model is
# trained in place, and the curves are collected by a callback, the project's `History`.
#
# **Silent difference.** A PyTorch `DataLoader` does not shuffle unless told to; Keras's `fit` does unless told not to.
# The data module here draws a new order for every epoch, from a `seed` of its own.
#
# As in the lab, the model is not seeded, so every run gives slightly other numbers. `lightning.seed_everything(0)`
# before the model is built would repeat them. A seed of PyTorch's draws other numbers than the same seed of Keras's.

# %%
settings = {
    "accelerator": device,
    "devices": 1,
    "logger": False,  # the default one loads TensorFlow where it is installed
    "enable_checkpointing": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,  # no validation before the first epoch
}
history = History()
callbacks = [history, Bar(history)]
trainer = lightning.Trainer(max_epochs=epochs_small, callbacks=callbacks, **settings)
trainer.fit(model, datamodule)

# %% [markdown]
# ## Read the history
#
# `history.history` is a dictionary of four lists, one number an epoch, as in Keras.
#
# **Silent difference.** The last batch is often smaller: 10,000 test images are 312 batches of 32 and one of 16. A
# plain mean of the batches' means, which is quickly written in PyTorch, counts the last 16 images double. Keras weights
# each batch by its images, and so does the module, by the `EpochMean` that `training_step` updates.

# %%
print("keys:", list(history.history))
for name in ("loss", "acc", "val_loss", "val_acc"):
    print(f"{name:>8}:", *(f"{value:.4f}" for value in history.history[name]))

# %% [markdown]
# **Question 4.** After the first epoch `val_acc` is usually *above* `acc`, although the network has never learnt from
# the test images. Why? (When is each of the two measured?)

# %% [markdown]
# ## Plot the accuracy
#
# **Question 5.** Before you run the cell: will the two curves end close together or far apart? Still rising or level?


# %%
def plot(name, history):
    """Draws the lab's plot and shows it."""
    path, title = folder / f"{name}.png", f"Lightning, {name}, {digits.dataset}"
    pictures.accuracy_by_epoch(history.history, title, path)
    return Image(filename=path, alt=f"Model accuracy by epoch: acc and val_acc of {name}")


plot("small", history)

# %% [markdown]
# ## Does it under- or overfit?
#
# A model **underfits** if it could still learn more of what the images have in common: its losses are high and still
# falling. It **overfits** if it learns the training images by heart: `loss` goes on falling while `val_loss` turns and
# rises.
#
# **Question 6.** Which is it here? Find a reason in the four lists above, then compare with what the next cell says.

# %%
print(fitting.answer(history.history)["sentence"])

# %% [markdown]
# ## Build a bigger model
#
# Three hidden layers instead of one, with 100, 75 and 25 neurons, and tanh in place of the sigmoid.
#
# **Question 7.** Which of its four layers has the most numbers to learn? Guess before you read the table.

# %%
adam = {"optimizer": "adam", "learning_rate": 0.001}
bigger = LitMLP(hidden_sizes=(100, 75, 25), activation="tanh", **adam)
train.show(bigger)

# %% [markdown]
# It learns with **Adam**, which gives every weight a step size of its own: it divides the mean of its recent gradients,
# $m$, by the root of the mean of their squares, $v$.
#
# **Silent difference.** So as not to divide by 0, PyTorch adds $\varepsilon = 10^{-8}$ to $\sqrt{v}$ *after* it has
# corrected $v$ for its start from 0; Keras adds $10^{-7}$ *before* it. At a gradient of $10^{-5}$ Keras's first step is
# 24 % shorter, and no single $\varepsilon$ makes PyTorch's Adam take the steps of Keras's. So `optimizer="adam"` is an
# Adam that computes as Keras's does, and `"torch-adam"` is PyTorch's own.

# %%
print(inspect.getsource(KerasAdam.update))
for name in ("learning_rate", "beta_1", "beta_2", "epsilon"):
    print(f"{name:>13}: {bigger.hparams[name]:.4g}")

# %%
bigger_history = History()
callbacks = [bigger_history, Bar(bigger_history)]
trainer = lightning.Trainer(max_epochs=epochs_bigger, callbacks=callbacks, **settings)
trainer.fit(bigger, datamodule)

# %%
plot("bigger", bigger_history)

# %% [markdown]
# **Question 8.** Does the bigger model under- or overfit? After which epoch would you have stopped?

# %%
print(fitting.answer(bigger_history.history)["sentence"])

# %% [markdown]
# ## Build your own model
#
# Your turn: how many layers, how many neurons in each, which activation? Change the first two lines and run the cells
# down to the comparison again. Can you beat `small` with fewer numbers to learn, or `bigger` with as many?

# %%
own_hidden_sizes = (64, 32)  # neurons of each hidden layer; one layer of 64 is (64,)
own_activation = "relu"  # or "sigmoid", or "tanh"

own = LitMLP(hidden_sizes=own_hidden_sizes, activation=own_activation, **adam)
train.show(own)

# %%
own_history = History()
callbacks = [own_history, Bar(own_history)]
trainer = lightning.Trainer(max_epochs=epochs_own, callbacks=callbacks, **settings)
trainer.fit(own, datamodule)

# %%
plot("own", own_history)

# %%
print(fitting.answer(own_history.history)["sentence"])

# %% [markdown]
# ## Compare the models
#
# On the full MNIST, the lab's `small` ended with a `val_acc` of 0.9123 and its `bigger` with 0.9750. Another start and
# another order of the images move these by some thousandths, in the lab, here and in the twin.

# %%
names, networks = ("small", "bigger", "own"), (model, bigger, own)
histories = (history, bigger_history, own_history)
for name, network, curves in zip(names, networks, histories, strict=True):
    count = sum(parameter.numel() for parameter in network.parameters())
    accuracies = curves.history["val_acc"]
    print(f"{name:>6}: {count:>7,} parameters, {len(accuracies):>2} epochs", end=", ")
    print(f"val_acc {accuracies[-1]:.4f}")

# %% [markdown]
# ## One framework at a time
#
# TensorFlow and PyTorch do not get on in one process: together they can make it abort. So this notebook never loads
# TensorFlow and its twin never loads PyTorch. The project's comparison starts a process for each.

# %%
names = ("tensorflow", "keras", "keras_reference")
others = [name for name in names if name in sys.modules]
print("of Keras's side, this notebook has loaded:", ", ".join(others) or "nothing")

# %% [markdown]
# ## Questions to take home
#
# 1. Train `small` for 30 epochs (change the cell with the parameters, and run all). Does it still underfit?
# 2. Train `small` with Adam. What does the optimizer change, and what the size of the network?
# 3. Go through both notebooks side by side. Which lines of Keras have no counterpart in Lightning, and which code in
#    Lightning does what they did?
# 4. Your numbers and your neighbour's differ in the third decimal. How would you find out whether the *frameworks*
#    differ, or only the dice?
#
# Where to go on:
#
# - [The README](../README.md): all commands. `python -m parity --preset small` trains both frameworks from the same
#   weights in the same order, and says whether they agree.
# - [The traps](../docs/traps.md): the silent differences of this notebook, and many more.
# - [keras_reference/model.py](../keras_reference/model.py) and [lightning_mlp/model.py](../lightning_mlp/model.py): the
#   two models whole. They need nothing but their framework (and, for Keras's Adam, the file beside it).
