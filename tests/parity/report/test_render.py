"""`parity render`: a run's reports again from its folder, and what is no report."""

import json

import numpy as np
import pytest
from sample_reports import build_pair_report, build_report, pair_sides

from mlp_spec.support.errors import UserError
from parity.protocol.records import Draws, Restarts
from parity.protocol.task import recording_path, write_record
from parity.report import render


def test_the_reports_of_a_run_are_written_again(tmp_path, capsys):
    (tmp_path / "report.json").write_text(json.dumps(build_report()))
    assert render.main([str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "report.md", "report.html", "curves.png"}
    assert "PARITY" in capsys.readouterr().out


def test_the_reports_of_a_pair_file_are_written_again(tmp_path, capsys):
    (tmp_path / "report.json").write_text(json.dumps(build_pair_report()))
    for name, side in zip(("keras", "lightning"), pair_sides(["dense"]), strict=True):
        (tmp_path / name).mkdir()
        write_record(tmp_path / name, "lockstep", side.parts["lockstep"])
    assert render.main([str(tmp_path)]) == 0
    assert "the first to depart is norm" in (tmp_path / "report.html").read_text()
    assert 'id="chart-steps"' in (tmp_path / "report.html").read_text()
    assert "Lightning  the module's output is logits" in capsys.readouterr().out


def test_a_report_of_a_pair_file_from_before_it_had_findings_is_read(tmp_path):
    report = build_pair_report(departs_from=9)
    del report["findings"]
    for check in report["checks"]:
        check.pop("layers", None)
    (tmp_path / "report.json").write_text(json.dumps(report))
    assert render.main([str(tmp_path)]) == 0
    assert "No layers were compared" in (tmp_path / "report.html").read_text()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "FileNotFoundError"),
        ("{", "JSONDecodeError"),
        ("{}", "KeyError: 'schema'"),
        ("[]", "TypeError"),
        ('{"schema": 0}', "has schema 0; this version reads 1"),
    ],
)
def test_what_is_no_report_is_refused(tmp_path, text, words):
    if text is not None:
        (tmp_path / "report.json").write_text(text)
    with pytest.raises(UserError, match=words):
        render.read_report(tmp_path)


def test_recordings_are_read_and_a_damaged_one_is_left_out(tmp_path):
    write_record(tmp_path, "initial_weights", Draws(weights={"dense/kernel": np.ones(2)}))
    write_record(tmp_path, "restarts", Restarts(losses=np.ones(2)))
    assert set(render.read_records(tmp_path)) == {"initial_weights", "restarts"}
    recording_path(tmp_path, "restarts").write_bytes(b"damaged")
    records = render.read_records(tmp_path)
    assert set(records) == {"initial_weights"} and set(records["initial_weights"].weights) == {"dense/kernel"}
