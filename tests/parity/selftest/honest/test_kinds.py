"""The kinds that a sweep is restricted to: they take turns, and an unknown one is refused."""

import pytest

from mlp_spec.support.errors import UserError
from parity.selftest.honest.kinds import KINDS, draw_kind, kinds_of, read_kinds
from parity.selftest.honest.pairs import draw_pair


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn(kind):
    for seed in range(4):
        assert kind in kinds_of(draw_kind(seed, (kind,)))


def test_kinds_take_turns_and_a_seed_draws_one_pair():
    kinds = ("recurrent", "attention", "transposed")
    for seed in range(12):
        pair = draw_kind(seed, kinds)
        assert kinds[seed % 3] in kinds_of(pair) and pair == draw_kind(seed, kinds) and pair.seed == seed


def test_no_kinds_draw_what_the_seed_draws():
    assert all(draw_kind(seed, ()) == draw_pair(seed) for seed in range(20))
    # and a pair that is of the kind anyway is that of the seed
    assert any(draw_kind(seed, ("recurrent",)) == draw_pair(seed) for seed in range(20))


def test_kinds_are_read_with_commas_or_spaces():
    assert read_kinds(("recurrent,attention", "masks")) == ("recurrent", "attention", "masks")
    with pytest.raises(UserError, match="--kinds has nonsense; use some of convolution"):
        read_kinds(("masks,nonsense",))
