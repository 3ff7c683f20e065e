"""The README's tables: inserted between their marks, from whichever file was measured."""

import pytest

from benchmarks import bench, gpu, tables
from benchmarks.tables import END, SPEED, START, insert_tables
from mlp_spec.support.errors import UserError


def test_tables_replace_what_stands_between_the_marks():
    readme = f"before\n{START}\nold\n{END}\nafter\n"
    assert insert_tables(readme, "new") == f"before\n{START}\nnew\n{END}\nafter\n"
    assert insert_tables(insert_tables(readme, "new"), "new") == insert_tables(readme, "new")


@pytest.mark.parametrize("readme", ["", START, END, "\n".join(SPEED)])
def test_a_readme_without_the_marks_is_refused(readme):
    with pytest.raises(UserError, match="the README lacks the lines between which the tables go"):
        insert_tables(readme, "new")


@pytest.mark.parametrize(("name", "text"), [("loss", "1.2e-06 (limit 3.4e-06)"), ("acc", "0 (limit 0)")])
def test_gaps_of_losses_are_numbers_and_those_of_accuracies_images(name, text):
    assert tables.render_gap({"name": f"curve {name}", "measured": 1.23e-6, "limit": 3.4e-6}) == text


def test_without_measurements_the_command_says_how_to_measure(monkeypatch, tmp_path):
    monkeypatch.setattr(tables, "MEASURED", tmp_path / "none.json")
    monkeypatch.setattr(bench, "MEASURED", tmp_path / "none.json")
    monkeypatch.setattr(gpu, "MEASURED", tmp_path / "none.json")
    monkeypatch.setattr(tables, "README", tmp_path / "README.md")
    with pytest.raises(UserError, match="run make measure or make bench"):
        tables.write()
    assert not (tmp_path / "README.md").exists()
