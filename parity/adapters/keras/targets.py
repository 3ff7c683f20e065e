"""The reference where targets stand in place of some of the lab's parts: a user's own model, a user's own arrays."""

from dataclasses import replace
from functools import cached_property

import keras
import numpy as np

from keras_reference import data, train
from mlp_spec.digits.load import Digits
from mlp_spec.experiment import DataSpec
from mlp_spec.support.errors import UserError
from parity.adapters.keras import describe
from parity.adapters.keras.user import UserReference
from parity.pair import UserData, for_keras
from parity.protocol.target_pair import TargetPair
from parity.protocol.task import Task


class TargetReference(UserReference):
    """The reference's side of the ladder, of targets; see `UserReference`.

    Attributes:
        digits: the lab's data set that was loaded; None where `--data` gives one.
    """

    def __init__(self, task: Task):
        self.digits: Digits | None = None
        super().__init__(task)
        self.source = self.digits.source if self.digits else self.file.where("keras_data")

    def open_file(self) -> TargetPair:
        """Returns the targets, with the lab's model and arrays where there is none."""
        return TargetPair(self.pair, {"keras_model": self.build_lab_model, "keras_data": self.load_lab_arrays})

    @cached_property
    def sample(self):
        """A model of the reference that is looked at and not used: None where what it is called for is no model."""
        model = self.file.call("keras_model")
        return model if isinstance(model, keras.Model) else None

    def build_lab_model(self):
        """Builds the lab's own model, from whatever seed Keras has."""
        return train.build_unseeded(for_keras(self.experiment.lab))

    def load_lab_arrays(self) -> tuple:
        """Loads the lab's arrays as `fit` takes them, in the shape and with the labels that a user's model takes.

        Images are flattened, unless the model takes as many values in another shape, such as (28, 28, 1); labels are
        one-hot, unless its loss takes class indices.
        """
        self.digits = data.load(self.pair.dataset, self.pair.data_dir)
        arrays = data.preprocess(self.digits)
        images, labels = [arrays.x_train, arrays.x_test], [arrays.y_train, arrays.y_test]
        if self.pair.reference and self.sample is not None:
            shape = shape_of_input(self.sample)
            if shape and int(np.prod(shape)) == images[0].shape[1]:
                images = [array.reshape(-1, *shape) for array in images]
            if describe.takes_indices(self.sample):
                labels = [array.astype(np.int64) for array in (self.digits.train_labels, self.digits.test_labels)]
        return tuple(zip(images, labels, strict=True))

    def settings(self):
        """Returns how much is trained, on which data set; and what our LitMLP is where it stands for the candidate.

        Raises:
            UserError: a user's reference is none that our LitMLP can be.
        """
        settings = super().settings()
        lab = settings.lab
        if self.digits:
            settings = replace(settings, data=UserData(self.digits.dataset))
            lab = replace(lab, data=DataSpec(self.digits.dataset))
        is_alone = self.pair.reference and not self.pair.candidate
        if is_alone and self.sample is not None:  # else, `build` says what is wrong
            try:
                lab = describe.experiment_of(self.sample, lab, self.file.where("keras_model"))
            except UserError as error:
                advice = "our LitMLP cannot stand for its port: give the port by --candidate"
                raise UserError(f"{error}; {advice}") from error
        return replace(settings, lab=lab)


def shape_of_input(model: keras.Model) -> tuple[int, ...] | None:
    """Returns the shape of a row of a model's only input; None where it has several, or does not say."""
    shape = getattr(model, "input_shape", None)
    if not isinstance(shape, tuple) or not all(isinstance(size, int) for size in shape[1:]):
        return None
    return shape[1:]
