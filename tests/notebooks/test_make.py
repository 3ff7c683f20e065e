"""The command that generates the notebooks: the same source gives the same notebook, and a change another."""

import importlib.util

import nbformat
import pytest
from conftest import ROOT, assert_user_error, run_python

# By its path: the folder is no installed package.
SPEC = importlib.util.spec_from_file_location("make", ROOT / "notebooks" / "make.py")
make = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(make)


@pytest.mark.parametrize("source", make.SOURCES, ids=lambda source: source.stem)
def test_a_notebook_is_generated_from_its_source(source):
    generated = make.notebook(source)
    stored = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    for ours, theirs in zip(generated.cells, stored.cells, strict=True):
        assert ours == theirs, f"{theirs.id}: run make notebooks"
    assert make.render(source) == source.with_suffix(".ipynb").read_text(encoding="utf-8"), "run make notebooks"


def test_a_changed_source_gives_another_notebook(tmp_path):
    source = make.SOURCES[0]
    copy = tmp_path / source.name
    copy.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
    assert make.render(copy) == make.render(source)
    copy.write_text(source.read_text(encoding="utf-8").replace("batch_size=32", "batch_size=64"), encoding="utf-8")
    assert make.render(copy) != make.render(source)


def test_the_command_writes_every_notebook(tmp_path, monkeypatch, capsys):
    copies = [tmp_path / source.name for source in make.SOURCES]
    for source, copy in zip(make.SOURCES, copies, strict=True):
        copy.write_bytes(source.read_bytes())
    monkeypatch.setattr(make, "SOURCES", copies)
    make.make()
    assert capsys.readouterr().out.count("Written: ") == 2
    for copy in copies:
        notebook = copy.with_suffix(".ipynb")
        assert notebook.read_bytes() == (make.FOLDER / notebook.name).read_bytes()


def test_without_jupytext_the_command_says_what_to_install():
    code = "import runpy, sys; sys.modules['jupytext'] = None; runpy.run_module('notebooks.make', run_name='__main__')"
    assert_user_error(run_python("-c", code), "jupytext", "[notebooks]")
