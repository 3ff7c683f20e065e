"""Golden files: what a report must be to the byte."""

import os
from pathlib import Path

import pytest


@pytest.fixture
def assert_golden():
    """Returns a function that compares a text with a file; `GOLDEN=write python -m pytest` writes the file anew."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / "golden" / name
        if os.environ.get("GOLDEN") == "write":
            path.write_text(text)
        assert text == path.read_text(), f"{name} has changed: look at the difference before you write it anew"

    return compare
