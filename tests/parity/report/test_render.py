"""`parity render`: a run's reports again from its folder, and what is no report."""

import json

import numpy as np
import pytest
from sample_reports import build_report

from mlp_spec.support.errors import UserError
from parity.protocol import recording
from parity.protocol.task import recording_path
from parity.report import render


def test_the_reports_of_a_run_are_written_again(tmp_path, capsys):
    (tmp_path / "report.json").write_text(json.dumps(build_report()))
    assert render.main([str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "report.md", "report.html", "curves.png"}
    assert "PARITY" in capsys.readouterr().out


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
    for part in ("facts", "metrics"):
        path = recording_path(tmp_path, part)
        path.parent.mkdir(parents=True, exist_ok=True)
        recording.write(path, {"x": np.ones(2)}, {"part": part})
    assert set(render.read_recordings(tmp_path)) == {"facts", "metrics"}
    recording_path(tmp_path, "metrics").write_bytes(b"damaged")
    recordings = render.read_recordings(tmp_path)
    assert set(recordings) == {"facts"} and recordings["facts"].metadata == {"part": "facts"}
