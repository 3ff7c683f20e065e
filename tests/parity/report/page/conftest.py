"""The browser in which pages are opened."""

import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium; Debian's, since its driver downloads none."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        assert not os.environ.get("CI"), "CI must have chromium"
        pytest.skip("NOT RUN: needs chromium (apt-get install chromium)")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()
