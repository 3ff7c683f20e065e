"""All reports of a run in its folder, and the summary on standard output."""

import json

from sample_reports import ERROR, build_report, trained_side

from parity.ladder.climb import Side
from parity.report import write


def test_every_report_is_written(tmp_path):
    report = build_report()
    write.write(report, {}, {}, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "report.md", "report.html", "curves.png"}
    assert json.loads((tmp_path / "report.json").read_text()) == report


def test_without_two_trained_sides_there_is_no_picture(tmp_path):
    write.write(build_report([ERROR], (trained_side("cpu"), Side())), {}, {}, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "report.md", "report.html"}


def test_the_summary_is_text_or_the_whole_report_as_json(tmp_path, capsys):
    report = build_report()
    write.write(report, {}, {}, tmp_path)
    write.show(report, tmp_path)
    assert capsys.readouterr().out.splitlines()[-1].startswith("PARITY: ")
    write.show(report, tmp_path, "json")
    assert json.loads(capsys.readouterr().out) == report
