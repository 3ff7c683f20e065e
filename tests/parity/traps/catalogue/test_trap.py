"""A trap as the page shows it: prose on one line, code without indentation."""

from parity.traps.catalogue.trap import IMPORTS, Trap

TRAP = Trap(
    id="id",
    title="a\n   title",
    what="what\n      happens",
    keras="k",
    port="p",
    shows="`check`\n  fails",
    inputs="inputs",
    columns=("a", "b", "c"),
    keras_code="\n    x = 1\n    [x, x, x]\n",
    port_code="""y = 2
    [y, y, y]""",
    keras_numbers=(1, 1, 1),
    port_numbers=(2, 2, 2),
)


def test_code_loses_the_indentation_of_the_source():
    assert TRAP.keras_code == "x = 1\n[x, x, x]" and TRAP.port_code == "y = 2\n[y, y, y]"
    assert all(not line.startswith(" ") for code in IMPORTS.values() for line in code.splitlines())


def test_prose_that_is_wrapped_in_the_source_is_one_line():
    assert (TRAP.title, TRAP.what, TRAP.shows) == ("a title", "what happens", "`check` fails")


def test_numbers_stay_as_they_are():
    assert (TRAP.keras_numbers, TRAP.port_numbers, TRAP.columns) == ((1, 1, 1), (2, 2, 2), ("a", "b", "c"))


def test_code_keeps_its_own_lines():
    assert len(TRAP.keras_code.splitlines()) == 2
