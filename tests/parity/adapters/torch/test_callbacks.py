"""The callbacks of a Trainer and of a module: which there are, and what is told of them."""

from types import SimpleNamespace

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from mlp_spec.support.errors import UserError
from parity.adapters.torch.callbacks import describe, given_callbacks, with_metric
from parity.adapters.torch.monitored import Logged
from parity.protocol.callbacks import PLATEAU, Callback


def test_a_module_s_own_callbacks_take_the_place_of_their_kind():
    first, second, own = EarlyStopping("a"), ModelCheckpoint(), EarlyStopping("b")
    candidate = SimpleNamespace(trainer_options={"callbacks": [first, second]}, file=SimpleNamespace(where=str))
    assert given_callbacks(candidate, torch.nn.Linear(1, 1)) == [first, second]
    assert given_callbacks(candidate, SimpleNamespace(configure_callbacks=lambda: own)) == [second, own]
    candidate.trainer_options["callbacks"] = print
    with pytest.raises(UserError, match="callbacks holds builtin_function_or_method, which is no lightning Callback"):
        given_callbacks(candidate, torch.nn.Linear(1, 1))


def test_what_lacks_its_metric_says_so():
    logged = Logged(names=["loss", "val_loss"], early=["val_loss"])
    given = [EarlyStopping("loss"), EarlyStopping("los"), EarlyStopping("loss", check_on_train_epoch_end=False)]
    described = describe([*given, ModelCheckpoint(monitor="val_los")], [ModelCheckpoint()], logged)
    assert [one.lacks_metric for one in described] == [False, True, True, True, False]
    assert [one.is_implied for one in described] == [False] * 4 + [True]
    for monitor, lacks in (("los", True), ("val_loss", False)):
        assert with_metric(Callback("ReduceLROnPlateau", PLATEAU, monitor), logged).lacks_metric is lacks
    assert "logged" not in with_metric(Callback("ExponentialLR", PLATEAU), logged).settings
