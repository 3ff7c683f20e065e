"""The plain PyTorch loop learns what the preset learns."""

import pytest


@pytest.mark.parametrize("preset", ["small", "bigger"])
def test_it_learns_what_the_preset_learns(preset, assert_learns_like_ours):
    assert_learns_like_ours("plain", preset)
