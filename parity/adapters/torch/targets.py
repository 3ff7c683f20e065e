"""The candidate where targets stand in place of some of the lab's parts: a user's own module, a user's own loaders."""

import numpy as np
import torch
from torch.utils.data import DataLoader, TensorDataset

from keras_like import initializers
from lightning_mlp import train
from lightning_mlp.data import MNISTDataModule
from parity.adapters.torch.candidate import constants_of
from parity.adapters.torch.tensors import Binding
from parity.adapters.torch.user import UserCandidate
from parity.protocol.pair_file import PairFile
from parity.protocol.target_pair import TargetPair
from parity.protocol.user_data import SPLITS, columns_of

VALIDATION_BATCH = 1000


class TargetCandidate(UserCandidate):
    """The candidate's side of the ladder, of targets or of a pair file; see `UserCandidate`."""

    def open_file(self) -> PairFile | TargetPair:
        """Returns the pair file; or the targets, with our module and loaders where there is none."""
        if self.pair.file:
            return super().open_file()
        return TargetPair(self.pair, {"lightning_module": self.build_lit_mlp, "lightning_data": self.load_loaders})

    def build_lit_mlp(self):
        """Builds our module; one that stands beside a user's reference starts from the laws of its initialisers."""
        lab = self.experiment.lab
        model = train.build(lab, **constants_of(lab, self.task.backend))
        if self.pair.reference:
            parameters = Binding(model, self.facts.tensors).parameters
            for path, described in self.facts.initializers.items():
                config = dict(described)
                if (name := config.pop("name")) in initializers.KNOWN:
                    initializers.initialize_(parameters[path], name, **config)
        return model

    def load_loaders(self) -> tuple[DataLoader, DataLoader]:
        """Returns loaders over the rows of our data module; where `--data` gives Keras's arrays, over those."""
        if self.pair.data:
            sets = [TensorDataset(*self.tensors_of(*names)) for names in SPLITS.values()]
        else:
            ours = MNISTDataModule(dataset=self.experiment.data.dataset, data_dir=self.pair.data_dir)
            ours.setup("fit")
            sets = [TensorDataset(*held.tensors) for held in (ours.train_set, ours.val_set)]
        return DataLoader(sets[0], self.batch_size, shuffle=True), DataLoader(sets[1], VALIDATION_BATCH)

    def tensors_of(self, inputs: str, targets: str) -> list[torch.Tensor]:
        """Returns Keras's arrays as they are, class indices as the int64 that PyTorch's losses take."""
        columns = [*columns_of(self.arrays[inputs]).values()]
        labels = [
            array if array.dtype.kind == "f" else array.astype(np.int64)
            for array in columns_of(self.arrays[targets]).values()
        ]
        return [torch.from_numpy(np.array(array)) for array in (*columns, *labels)]
