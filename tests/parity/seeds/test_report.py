"""The report of a study: one sentence, the table of measures, and nothing that becomes markup."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console
from sample_seeds import draw_seeds

from mlp_spec.experiment import PRESETS
from parity.seeds import judge, report

SMALL = PRESETS["small"]


def build_report(reference, candidate, text="ours") -> dict:
    """Builds the report of a study of `small`."""
    checks = judge.judge_study(SMALL, reference, candidate, {}, False)
    sides = {"keras": reference, "lightning": candidate}
    return report.build(SMALL, {"text": text}, {"text": "trained here"}, sides, checks)


@pytest.fixture(scope="module")
def equivalent() -> dict:
    """The report of two samples of one law."""
    return build_report(draw_seeds(20, 1), draw_seeds(20, 2))


@pytest.fixture(scope="module")
def different() -> dict:
    """The report of a candidate that is worse than the margin allows."""
    return build_report(draw_seeds(20, 1), draw_seeds(20, 2, shift=-0.0045))


def test_the_report_is_plain_json_with_each_seeds_last_numbers(equivalent):
    assert equivalent["schema"] == 1 and json.loads(json.dumps(equivalent)) == equivalent
    seeds = equivalent["sides"]["lightning"]["seeds"]
    assert [seed["seed"] for seed in seeds] == list(range(20))
    assert seeds[3]["final"]["val_acc"] == draw_seeds(20, 2)[3].history["val_acc"][-1]
    assert report.describe_side([]) == {"environment": None, "seeds": []}


def test_one_sentence_says_that_both_are_equivalent(equivalent):
    assert report.describe_verdict(equivalent) == (
        "EQUIVALENT: Keras and Lightning reach the same results on small on mnist "
        "(seeds: 20 of Keras, 20 of Lightning)."
    )


def test_a_real_difference_within_the_margin_is_named():
    sentence = report.describe_verdict(build_report(draw_seeds(40, 1), draw_seeds(40, 2, shift=0.0008)))
    assert sentence.startswith("EQUIVALENT") and "A real difference, within the margin: final val_acc" in sentence


def test_one_sentence_names_what_differs(different):
    sentence = report.describe_verdict(different)
    assert sentence.startswith("NOT EQUIVALENT") and "final val_acc" in sentence


def test_one_sentence_names_what_cannot_be_told():
    sentence = report.describe_verdict(build_report(draw_seeds(20, 1), draw_seeds(3, 2)))
    assert sentence.startswith("CANNOT TELL: small on mnist was not decided (final val_acc")


def test_the_table_has_a_row_for_each_measure_in_its_unit(equivalent):
    rows = report.build_rows(equivalent)
    assert [row[:2] for row in rows] == [("pass", "val_acc %"), ("pass", "val_loss"), ("pass", "area %")]
    assert all(len(row) == len(report.COLUMNS) for row in rows)
    check = next(check for check in equivalent["checks"] if check.get("measure") == "val_acc")
    assert rows[0][2] == f"{100 * check['samples']['keras']['mean']:.2f}" and rows[0][6] == "0.20"


def test_the_terminal_shows_the_table_every_check_and_the_verdict_last(different):
    console = Console(file=io.StringIO(), width=80, highlight=False)
    report.show(different, "runs/here", console)
    text = console.file.getvalue()
    for check in different["checks"]:
        assert f"{check['status']}  {check['rung']} / {check['name']}\n    {check['detail']}\n" in text
    assert text.splitlines()[-2] == "Report: runs/here"
    assert text.splitlines()[-1] == report.describe_verdict(different)


def test_markdown_holds_every_check_and_the_bands(equivalent):
    text = report.render_markdown(equivalent)
    assert "| pass | val_acc % |" in text and "## Epoch by epoch" in text and "\n| 10 | " in text
    for check in equivalent["checks"]:
        assert f"- **{check['status']}: {check['rung']} / {check['name']}**: " in text


def test_markdown_of_too_few_finite_seeds_has_no_bands():
    lost = [replace(seed, history={**seed.history, "loss": [float("nan")] * 10}) for seed in draw_seeds(4, 2)]
    assert "## Epoch by epoch" not in report.render_markdown(build_report(draw_seeds(20, 1), lost))


def test_names_stay_text_in_markdown():
    text = report.render_markdown(build_report(draw_seeds(3, 1), draw_seeds(3, 2), "<b>a|b</b>"))
    assert "Lightning: &lt;b&gt;a\\|b&lt;/b&gt;" in text and "<b>" not in text
