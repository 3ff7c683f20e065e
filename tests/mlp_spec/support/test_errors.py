"""The exception for a user's mistake: nothing that handles Python's or a library's errors swallows it."""

import pytest

from mlp_spec.support.errors import UserError


@pytest.mark.parametrize("kind", [ValueError, TypeError, LookupError, OSError, RuntimeError, ArithmeticError])
def test_it_is_no_error_of_pythons_own(kind):
    assert not issubclass(UserError, kind) and issubclass(UserError, Exception)


def test_it_keeps_its_message():
    with pytest.raises(UserError) as caught:
        raise UserError("--epochs is 0; it must be a whole number from 1")
    assert str(caught.value) == "--epochs is 0; it must be a whole number from 1"
