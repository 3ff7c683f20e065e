"""The page of traps: rendered from the catalogue as it is committed, with every trap once."""

import re
from dataclasses import replace

import pytest
from conftest import ROOT

from parity.traps import command, page
from parity.traps.catalogue import TRAPS


def test_the_committed_page_is_the_rendered_catalogue():
    committed = (ROOT / command.PAGE).read_text(encoding="utf-8")
    assert committed == page.render(TRAPS.values()), "run python -m parity traps"


def test_a_trap_that_is_changed_changes_the_page():
    changed = TRAPS | {"frozen": replace(TRAPS["frozen"], title="Another title")}
    assert page.render(changed.values()) != page.render(TRAPS.values())


def test_the_page_holds_every_trap_once_and_its_links_lead_somewhere():
    text = page.render(TRAPS.values())
    headings = re.findall(r"^### (\S+)$", text, re.MULTILINE)
    assert sorted(headings) == sorted(TRAPS)
    assert re.findall(r"\]\(#(\S+)\)", text) == headings
    for trap in TRAPS.values():
        assert all(part in text for part in trap.what.split("Remedy:")), trap.id
        assert trap.shows in text and trap.keras_code in text and trap.port_code in text, trap.id
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 4 * len(TRAPS)
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {5}


def test_a_trap_on_no_rung_is_refused():
    with pytest.raises(KeyError):
        page.render([replace(TRAPS["frozen"], rung="cellar")])
