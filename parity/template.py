"""A pair file: a Keras model, the LightningModule that replaces it, and the data of both.

`python -m parity check` compares them, rung by rung: what each is made of, what it starts from, what it predicts, its
loss, its gradients, its optimizer's steps, and the training step by step. Put your own code in the four functions, or
import it. Each takes no arguments, builds anew at every call, and imports its framework inside: each framework has a
process of its own. Two more may return arguments, such as callbacks: keras_fit() of `fit`, and lightning_trainer() of
`Trainer`.
"""

EPOCHS = 3  # how often both train on all rows; 1 unless given
# BATCH_SIZE = 32      # of Keras's fit; 32 unless given. The training loader must have the same
# METRICS = {"val_accuracy": "dev_acc"}      # from Keras's names to logged ones, where words do not tell which is which
# WEIGHTS = {"scale/factor": "factor"}       # from Keras's paths to the module's names, for layers of your own
# ACCEPT = ["metrics/val_loss"]              # differences that are shown and do not decide


def digits():
    """Loads some data for both: 1,797 images of 8 x 8, from 0 to 16, and their digits."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    images = (images / 16).astype("float32")
    return (images[:1500], labels[:1500]), (images[1500:], labels[1500:])


def keras_model():
    """Returns a new, compiled keras.Model."""
    import keras
    from keras import layers

    model = keras.Sequential(
        [keras.Input((64,)), layers.Dense(32, activation="relu"), layers.Dense(10, activation="softmax")]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def keras_data():
    """Returns (x_train, y_train), (x_val, y_val), as `fit` takes them."""
    return digits()


def lightning_module():
    """Returns a new LightningModule; or a plain (module, loss, optimizer)."""
    import lightning
    import torch.nn.functional as F
    from torch import nn

    # PyTorch's own Adam and initialisers are others than Keras's: with them, the check says so
    from keras_like.initializers import glorot_uniform_
    from keras_like.optimizers import KerasAdam

    class Digits(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.hidden, self.last = nn.Linear(64, 32), nn.Linear(32, 10)
            for layer in (self.hidden, self.last):
                glorot_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

        def forward(self, images):
            return self.last(F.relu(self.hidden(images)))

        def training_step(self, batch, batch_idx):
            images, labels = batch
            return F.cross_entropy(self(images), labels)

        def configure_optimizers(self):
            return KerasAdam(self.parameters())

    return Digits()


def lightning_data():
    """Returns a LightningDataModule, or (train_loader, val_loader)."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    train, val = (TensorDataset(*map(torch.from_numpy, split)) for split in digits())
    return DataLoader(train, batch_size=32, shuffle=True), DataLoader(val, batch_size=100)
