"""All reports of a run in its folder, and the summary on standard output."""

import json

from sample_reports import ERROR, build_pair_report, build_report, trained_side

from parity.process import Side
from parity.report.write import publish


def test_every_report_is_written(tmp_path):
    report = build_report()
    publish(report, {}, {}, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "report.md", "report.html", "curves.png"}
    assert json.loads((tmp_path / "report.json").read_text()) == report


def test_without_two_trained_sides_there_is_no_picture(tmp_path):
    publish(build_report([ERROR], (trained_side("cpu"), Side())), {}, {}, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "report.md", "report.html"}


def test_a_pair_file_has_its_page_and_no_picture(tmp_path, capsys):
    publish(build_pair_report(), {}, {}, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "report.md", "report.html"}
    assert f"Report: {tmp_path}/report.html" in capsys.readouterr().out


def test_the_summary_is_text_or_the_whole_report_as_json(tmp_path, capsys):
    report = build_report()
    publish(report, {}, {}, tmp_path)
    assert capsys.readouterr().out.splitlines()[-1].startswith("PARITY: ")
    publish(report, {}, {}, tmp_path, "json")
    assert json.loads(capsys.readouterr().out) == report


def test_a_report_is_written_again_over_an_older_one(tmp_path):
    publish(build_report([ERROR], (trained_side("cpu"), Side())), {}, {}, tmp_path)
    publish(build_report(), {}, {}, tmp_path)
    assert json.loads((tmp_path / "report.json").read_text())["verdict"] == "pass"
    assert "PARITY" in (tmp_path / "report.md").read_text() and (tmp_path / "curves.png").exists()
