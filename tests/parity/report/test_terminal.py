"""The report in the terminal: one screen, the first failure last, colour only where it is wanted."""

import io
from dataclasses import replace

import pytest
from rich.console import Console
from sample_reports import (
    CHECKS,
    DEPARTED,
    ERROR,
    FAILED,
    GOLDEN,
    build_golden_report,
    build_pair_report,
    build_report,
)

from parity.report import terminal
from parity.rungs.check import Check


def print_report(report: dict, **options) -> str:
    """Returns what a terminal or a log of 80 columns shows."""
    console = Console(file=io.StringIO(), width=80, highlight=False, **options)
    terminal.show(report, "runs/here", console)
    return console.file.getvalue()


@pytest.mark.parametrize("name", GOLDEN)
def test_it_is_the_golden_one(name, assert_golden):
    assert_golden(f"{name}.txt", print_report(build_golden_report(name)))


def test_it_fits_80_columns_and_ends_with_the_verdict():
    text = print_report(build_report([*CHECKS, FAILED]))
    assert text.strip().splitlines()[-1].startswith("NO PARITY")
    assert "lockstep / curve acc: largest gap (images): epoch 1" in text
    table = text.split("\n\n")[0].splitlines()
    assert len(table) == 4 and all(len(line) <= 80 for line in table)  # a line a rung, and the head
    assert len(text.splitlines()) <= 24
    assert "keras on cpu, lightning on gpu" in text and "runs/here" in text


@pytest.mark.parametrize(("no_color", "is_coloured"), [("", True), ("1", False)])
def test_colour_is_left_out_where_it_is_not_wanted(monkeypatch, no_color, is_coloured):
    monkeypatch.setenv("NO_COLOR", no_color)
    assert ("\x1b[32m" in print_report(build_report(), force_terminal=True)) == is_coloured


def test_the_first_failure_comes_last():
    lines = print_report(build_report([*CHECKS, DEPARTED, FAILED])).splitlines()
    told = ("Also failed:", "lockstep  curve acc", "lockstep / batch loss, free run: first", "NO PARITY")
    places = [next(index for index, line in enumerate(lines) if words in line) for words in told]
    assert places == sorted(places) and places[-1] >= len(lines) - 3


def test_one_error_names_each_check_once():
    errors = [replace(ERROR, detail="no weights"), replace(ERROR, detail="no weights"), replace(ERROR, rung="loss")]
    text = print_report(build_report([*CHECKS, *errors]))
    assert "\nlockstep / training: no weights\n" in text and "\nloss / training: keras_reference died" in text


def test_of_a_pair_file_what_was_found_comes_first_and_once():
    text = print_report(build_pair_report(), force_terminal=True, color_system=None)
    assert text.splitlines()[:2] == ["Found:", "Lightning  the module's output is logits"]
    assert text.count("the module's output is logits") == 1
    assert "Metrics    accuracy is train/acc, val_accuracy is val; not compared: loss" in text
    assert "forward  layers in training mode (first: norm)" in text
    assert "runs/here/report.html" in text and "differ on mine (2 checks failed" in text
    assert all(len(line) <= 80 for line in text.splitlines())


def test_a_long_text_goes_on_below_itself_and_a_log_has_no_trailing_spaces():
    lines = [("Layers", "conv is features.0, " * 8), ("Data", "1")]
    printed = terminal.build_list("Found:", lines, 80).plain.splitlines()
    assert printed[0] == "Found:" and printed[-1] == "Data    1" and len(printed) == 5
    assert printed[1].startswith("Layers  conv") and printed[2].startswith("        ")
    assert all(line == line.rstrip() and len(line) <= 80 for line in printed)


def test_the_verdict_is_broken_between_words():
    text = print_report(build_report([*CHECKS, DEPARTED, FAILED]), force_terminal=True, color_system=None)
    words = text.split()
    assert "first:" in words and "(2" in words and all(len(line) <= 80 for line in text.splitlines()[-3:])


def test_brackets_in_names_are_no_markup():
    assert "[bold red]x[/]" in print_report(build_report([Check("[bold red]x[/]", "data", "pass", 0, 0, "")]))


def check(status, measured, limit):
    return {"status": status, "measured": measured, "limit": limit}


def test_the_check_nearest_to_its_limit_is_the_greatest():
    order = [check("info", 5, 1), check("pass", None, 1), check("pass", 1, 10), check("pass", 9, 10),
             check("error", None, None), check("fail", "not a number", 1), check("fail", 20, 10)]  # fmt: skip
    shuffled = [order[index] for index in (4, 1, 6, 0, 3, 5, 2)]
    assert sorted(shuffled, key=terminal.closeness_to_limit) == order


def test_statuses_are_counted_the_worst_first():
    checks = [{"status": status} for status in ("info", "pass", "fail", "pass", "error")]
    assert terminal.count_statuses(checks).plain == "1 fail, 1 error, 2 pass, 1 info"
    assert terminal.count_statuses(checks[1:2]).plain == "1 pass"


def test_a_rung_that_is_not_on_the_ladder_comes_last():
    checks = [Check("x", "unheard of", "pass", 0, 0), *CHECKS]
    lines = print_report(build_report(checks)).split("\n\n")[0].splitlines()
    assert [line.split("  ")[0] for line in lines] == ["rung", "experiment", "lockstep", "speed", "unheard of"]
