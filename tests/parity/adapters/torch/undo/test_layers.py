"""Every difference between layers can be undone, or the catalogue says why not."""

from sample_built import make_built

from parity.adapters.torch.undo import layers
from parity.adapters.torch.undo.candidate import UNDOS
from parity.traps.layers.catalogue import DIFFERENCES


def test_every_row_has_an_undoing_or_says_why_it_has_none():
    without = {id for id in DIFFERENCES if id not in UNDOS}
    assert without == {id for id, one in DIFFERENCES.items() if one.not_undone}


def test_where_a_model_has_no_such_layer_nothing_is_changed():
    alone = {"leaky-relu-layer"}  # the sample has one
    assert [undo.id for undo in layers.UNDOS if undo.id not in alone and undo.change(make_built())] == []
