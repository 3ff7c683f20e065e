"""Parts that are built in evaluation mode stay in it while a module is trained, and others do not."""

from torch import nn

from parity.adapters.torch.modes import keep_modes, set_mode


def test_parts_are_trained_in_the_mode_they_were_built_in():
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2).eval(), nn.Sequential(nn.Dropout(), nn.Dropout().eval()))
    keep_modes(module)
    assert set_mode(module, False) is module and not any(part.training for part in module.modules())
    set_mode(module, True)
    trained = [part.training for part in module.modules()]
    assert trained == [True, True, False, True, True, False]


def test_a_train_of_ones_own_has_the_last_word():
    class Frozen(nn.Sequential):
        def train(self, mode=True):
            super().train(mode)
            self[0].eval()
            return self

    module = Frozen(nn.BatchNorm1d(2), nn.Dropout())
    keep_modes(module)
    set_mode(module, True)
    assert [part.training for part in module] == [False, True]


def test_a_module_that_nobody_kept_is_trained_as_a_whole():
    module = nn.Sequential(nn.BatchNorm1d(2).eval())
    assert set_mode(module, True)[0].training
