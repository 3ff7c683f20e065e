"""The speed table: ratios, intervals and compile times from made-up numbers; README's table and chart."""

import json

import pytest
from conftest import ROOT

from benchmarks import bench, speed, tables


def contender(median, **numbers):
    return {
        "median": median, "interval": [median - 0.1, median + 0.1], "to_full_speed": 5.04, "peak_mb": 700.4,
        "compile_seconds": [12.0, 3.0, 4.0], **numbers,
    }  # fmt: skip


PRESETS = {
    "small": {"default": contender(0.5), "keras": contender(2.0), "compiled": contender(0.25)},
    "bigger": {"default": contender(1.0), "keras": contender(4.0), "compiled": contender(0.5)},
}


def test_seconds_are_shown_with_their_interval_and_as_a_multiple_of_the_default_path():
    title = bench.CONTENDERS["keras"].title
    assert (
        speed.render_seconds("keras", PRESETS)
        == f"| {title} | 2.000 (1.900-2.100) | 4.00 | 4.000 (3.900-4.100) | 4.00 |"
    )


def test_a_ratio_is_shown_beside_its_target_if_there_is_one():
    row = speed.render_ratio("default", "keras", 0.6, None, PRESETS)
    assert row.endswith("| 0.25 | 0.6 | 0.25 | - |") and "**" not in row


def test_start_and_memory_are_rounded():
    assert speed.render_start("keras", PRESETS).endswith("| 5.0 | 5.0 | 700 MB | 700 MB |")


@pytest.mark.parametrize(("seconds", "again"), [([12.0, 3.0, 4.0], ", 4.0 s at most"), ([12.0], None)])
def test_later_compiling_is_shown_if_there_was_any(seconds, again):
    text = speed.render_compiling({"small": {"compiled": contender(1.0, compile_seconds=seconds)}})
    assert text.startswith("Compiling took `small` 12.0 s") and (again or "12.0 s.") in text
    assert ("cache" in text) == (again is not None)


def test_the_readmes_speed_table_and_chart_are_the_measured_ones(tmp_path):
    measured, readme = json.loads(bench.MEASURED.read_text()), (ROOT / "README.md").read_text()
    assert tables.insert_tables(readme, speed.render(measured), tables.SPEED) == readme, "run make bench"
    assert measured["dataset"] == "mnist" and set(measured["presets"]["small"]) == set(bench.CONTENDERS)
    assert all(set(measured[key]["seconds"]) == set(measured["widths"]["seconds"]) for key in ("batch_sizes", "widths"))
    speed.draw(measured, tmp_path / "chart.png")
    assert (tmp_path / "chart.png").stat().st_size > 20_000 and speed.CHART.exists()
