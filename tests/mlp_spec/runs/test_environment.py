"""The environment that every output names."""

import io
import json
import os
import platform

import numpy as np
import pytest

from mlp_spec.runs import environment


def test_versions_and_machine_are_named():
    described = environment.describe("numpy", "pytest")
    assert set(described) == {"python", "platform", "processor", "cores", "packages"}
    assert described["python"] == platform.python_version()
    assert described["platform"] == platform.platform()
    assert described["packages"] == {"numpy": np.__version__, "pytest": pytest.__version__}
    assert 1 <= described["cores"] <= os.cpu_count()


def test_a_package_that_is_not_installed_gets_none():
    described = environment.describe("no-such-package-anywhere", "numpy")
    assert described["packages"] == {"no-such-package-anywhere": None, "numpy": np.__version__}


def test_no_package_need_be_named():
    assert environment.describe()["packages"] == {}


def test_the_description_is_plain_json():
    described = environment.describe("numpy", "no-such-package-anywhere")
    assert json.loads(json.dumps(described)) == described


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("processor\t: 0\nmodel name\t: A CPU @ 2:00 GHz \nmodel name\t: Another\n", "A CPU @ 2:00 GHz"),
        ("processor\t: 0\nBogoMIPS\t: 50\n", None),
        ("", None),
    ],
)
def test_the_processor_is_the_systems_name_for_it(monkeypatch, text, expected):
    monkeypatch.setattr(environment, "open", lambda *_, **__: io.StringIO(text), raising=False)
    assert environment.processor() == (expected or platform.processor() or platform.machine())


def test_without_the_systems_list_the_processor_is_its_architecture(monkeypatch):
    def absent(*_, **__):
        raise FileNotFoundError

    monkeypatch.setattr(environment, "open", absent, raising=False)
    assert environment.processor() == (platform.processor() or platform.machine()) != ""
