"""The baseline: differences of two recorded folders, what is ignored, and what is refused."""

import copy
import json
import zipfile

import pytest

from benchmarks import baseline
from benchmarks.baseline import BaselineFlags, compare
from mlp_spec.support.errors import UserError

REPORT = {
    "verdict": "parity", "seconds": 12.5, "environment": {"python": "3.11"},
    "checks": [
        {"id": "loss", "status": "passed", "measured": 1e-7, "detail": "a text"},
        {"id": "speed", "rung": "speed", "status": "info", "measured": 0.5},
    ],
}  # fmt: skip


def record(folder, report=REPORT, status=0, weights=b"1234", name="small"):
    run = folder / name / "run"
    run.mkdir(parents=True)
    (folder / name / "exit-status.json").write_text(json.dumps(status))
    (run / "report.json").write_text(json.dumps(report))
    with zipfile.ZipFile(run / "checkpoint.ckpt", "w") as archive:
        archive.writestr("checkpoint/data/0", weights)
        archive.writestr("checkpoint/version", str(folder))
    return folder


def changed(change):
    report = copy.deepcopy(REPORT)
    change(report)
    return report


@pytest.mark.parametrize(
    "change",
    [
        lambda report: report.update(seconds=99.0, environment={}),
        lambda report: report["checks"][0].update(detail="another text"),
        lambda report: report["checks"][1].update(measured=0.7),
        lambda report: report["checks"].reverse(),
    ],
    ids=["times", "texts", "speed", "order"],
)
def test_texts_times_and_the_order_of_checks_are_no_difference(change, tmp_path):
    folders = record(tmp_path / "before"), record(tmp_path / "after", changed(change))
    assert list(compare(*folders)) == []


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            {"report": changed(lambda report: report.update(verdict="no parity"))},
            "/verdict: 'parity', then 'no parity'",
        ),
        (
            {"report": changed(lambda report: report["checks"][0].update(measured=1.1e-7))},
            "/loss/measured: 1e-07, then",
        ),
        ({"report": changed(lambda report: report["checks"].pop(0))}, "/loss/status: 'passed', then 'missing'"),
        ({"status": 1}, "small: exit-status.json: 0, then 1"),
        ({"weights": b"1235"}, "small: run/checkpoint.ckpt/checkpoint/data/0: "),
    ],
    ids=["verdict", "number", "check", "status", "weights"],
)
def test_a_difference_is_named(options, line, tmp_path):
    folders = record(tmp_path / "before"), record(tmp_path / "after", **options)
    assert any(line in difference for difference in compare(*folders))


def test_a_run_of_one_folder_only_is_named(tmp_path):
    before, after = record(tmp_path / "before"), record(tmp_path / "after")
    record(after, name="bigger")
    assert list(compare(before, after)) == ["bigger: recorded in one folder only"]


def test_the_exit_status_is_1_where_something_differs(tmp_path, capsys):
    before, after = record(tmp_path / "before"), record(tmp_path / "after", status=2)
    assert baseline.main(["compare", str(before), str(before)]) == 0
    assert baseline.main(["compare", str(before), str(after)]) == 1
    assert capsys.readouterr().out == "no difference\nsmall: exit-status.json: 0, then 2\n"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (BaselineFlags("compare", ("a",)), r"compare takes 2 folder\(s\), got 1"),
        (BaselineFlags("record", ("a", "b")), r"record takes 1 folder\(s\), got 2"),
        (BaselineFlags("record", ("a",), only=("huge",)), "--only huge is unknown; choose from small"),
    ],
)
def test_wrong_arguments_are_refused(options, words):
    with pytest.raises(UserError, match=words):
        baseline.baseline(options)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="nothing was recorded"):
        list(compare(record(tmp_path / "before"), tmp_path / "nowhere"))
