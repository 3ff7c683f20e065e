"""The picture of the curves, drawn from the report alone."""

import pytest
from PIL import Image
from sample_reports import build_report

from parity.report import curves


def test_curves_are_drawn_from_the_report(tmp_path):
    curves.draw(build_report(), tmp_path / "curves.png")
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.format == "PNG"
    assert [path.name for path in tmp_path.iterdir()] == ["curves.png"]


def test_a_side_without_curves_is_an_error_and_leaves_no_half_picture(tmp_path):
    report = build_report()
    report["sides"]["lightning"]["history"].pop("acc")
    with pytest.raises(KeyError, match="acc"):
        curves.draw(report, tmp_path / "curves.png")
    assert list(tmp_path.iterdir()) == []
