"""The page of layers: rendered from the tables as they are committed, with every difference once."""

import re
from dataclasses import replace

import pytest
from conftest import ROOT

from parity.protocol import tensors
from parity.traps.layers import command, page
from parity.traps.layers.catalogue import DIFFERENCES


def test_the_committed_page_is_the_rendered_catalogue():
    assert (ROOT / command.PAGE).read_text(encoding="utf-8") == page.render(), "run python -m parity layers"


def test_a_layout_that_is_changed_changes_the_page(monkeypatch):
    before = page.render()
    assert "`(outputs, inputs, height, width)`" in before
    classes, conv = tensors.LAYERS["Conv2D"]
    turned = {**conv, "kernel": ("weight", tensors.Layout((2, 3, 0, 1)))}
    monkeypatch.setitem(tensors.LAYERS, "Conv2D", (classes, turned))
    assert "`(inputs, outputs, height, width)`" in page.render() and page.render() != before


def test_a_class_that_is_changed_changes_the_page(monkeypatch):
    monkeypatch.setitem(tensors.LAYERS, "Dense", (("Linear", "Other"), tensors.LAYERS["Dense"][1]))
    assert "| Dense | `nn.Linear`, `nn.Other` |" in page.render()


def test_the_page_holds_every_difference_once_and_its_links_lead_somewhere():
    text = page.render()
    headings = re.findall(r"^### (\S+)$", text, re.MULTILINE)
    assert headings == list(DIFFERENCES) == re.findall(r"\]\(#(\S+)\)", text)
    for entry in DIFFERENCES.values():
        assert all(part in text for part in (entry.what, entry.title, *entry.shown.values())), entry.id


def test_tables_have_as_many_cells_in_every_row():
    for block in re.findall(r"(?:^\|.*\n)+", page.render(), re.MULTILINE):
        assert len({line.count("|") for line in block.splitlines()}) == 1, block


def test_what_nothing_computes_is_said():
    alone = replace(DIFFERENCES["gelu"], right="")
    assert "# nothing in PyTorch computes the same" in page.render_difference(alone)
    assert page.remedy(alone) == "nothing"


@pytest.mark.parametrize(
    ("entry", "remedy"),
    [
        ("same-padding-with-strides", "`KerasConv2d`"),
        ("embedding-start", "`random_uniform_`"),
        ("layer-norm-epsilon", "PyTorch's own, written otherwise"),
    ],
)
def test_the_remedy_is_named(entry, remedy):
    assert page.remedy(DIFFERENCES[entry]) == remedy


def test_second_biases_and_rows_of_biases_are_told():
    rows = [line for line in page.render_layouts().splitlines() if "`bias_ih`" in line]
    assert len(rows) == 4 and sum("stays 0" in row for row in rows) == 3
    assert sum("its rows are `bias_ih` and `bias_hh`" in row for row in rows) == 1
