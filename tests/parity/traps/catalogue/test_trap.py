"""A trap as the page shows it: prose on one line, code without indentation."""

from parity.traps.catalogue.trap import IMPORTS, Example, Trap

EXAMPLE = Example("inputs", ("a", "b", "c"), "\n    x = 1\n    [x, x, x]\n", "[2, 2, 2]", (1, 1, 1), (2, 2, 2))


def test_code_loses_the_indentation_of_the_source():
    assert EXAMPLE.keras_code == "x = 1\n[x, x, x]" and EXAMPLE.port_code == "[2, 2, 2]"
    assert all(not line.startswith(" ") for code in IMPORTS.values() for line in code.splitlines())


def test_prose_that_is_wrapped_in_the_source_is_one_line():
    trap = Trap("id", "a\n   title", "what\n      happens", "k", "p", "loss", "`check`\n  fails", EXAMPLE)
    assert (trap.title, trap.what, trap.shows) == ("a title", "what happens", "`check` fails")
    assert trap.example is EXAMPLE


def test_code_keeps_its_own_lines():
    assert len(EXAMPLE.keras_code.splitlines()) == 2
