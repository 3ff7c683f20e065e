"""The report: its verdict follows the checks, its schema is the published one, one sentence says the verdict."""

import json

import pytest
from sample_reports import CHECKS, ERROR, FAILED, build_report

from mlp_spec.experiment import PRESETS
from parity.report import build


@pytest.mark.parametrize(
    ("checks", "verdict"),
    [
        (CHECKS, "pass"),
        ([*CHECKS, FAILED], "fail"),
        ([*CHECKS, ERROR], "could-not-run"),
        ([*CHECKS, ERROR, FAILED], "fail"),
        ([], "could-not-run"),
        (CHECKS[2:], "could-not-run"),
    ],
)
def test_the_verdict_follows_the_checks(checks, verdict):
    assert build_report(checks)["verdict"] == verdict
    assert set(build.EXIT_STATUS) == {"pass", "fail", "could-not-run"}


def test_the_schema_is_the_published_one():
    report = build_report()
    assert report["schema"] == 1
    assert {"schema", "verdict", "experiment", "environment", "checks"} <= set(report)
    for check in report["checks"]:
        assert {"id", "name", "status", "rung", "measured", "limit", "noise_floor", "cause", "detail"} == set(check)
    assert report["environment"]["devices"] == {"keras": "cpu", "lightning": "gpu"}
    assert report["experiment"]["hash"] == PRESETS["small"].hash
    assert json.loads(json.dumps(report)) == report


def test_one_sentence_says_the_verdict():
    assert (
        build.sentence(build_report()) == "PARITY: Keras and Lightning agree on small on mnist (2 of 2 checks passed)."
    )
    failed = build.sentence(build_report([*CHECKS, ERROR, FAILED]))
    assert failed.startswith("NO PARITY") and "lockstep / curve acc" in failed
    assert build.sentence(build_report([ERROR])).startswith("COULD NOT RUN")
