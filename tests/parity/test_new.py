"""`python -m parity new`: the template is written once, and never over a file."""

from conftest import ROOT, assert_user_error, run_python


def test_the_template_is_written_and_nothing_is_overwritten(tmp_path):
    path = tmp_path / "mine.py"
    ended = run_python("-m", "parity", "new", path)
    assert ended.status == 0 and f"python -m parity check {path}" in ended.out
    assert path.read_text() == (ROOT / "parity" / "template.py").read_text()
    path.write_text("mine")
    assert_user_error(run_python("-m", "parity", "new", path), f"{path} exists; give another name")
    assert path.read_text() == "mine"


def test_a_name_that_cannot_be_a_pair_file_is_refused(tmp_path):
    assert_user_error(run_python("-m", "parity", "new", tmp_path / "mine.txt"), "give a name that ends in .py")
    assert_user_error(run_python("-m", "parity", "new", tmp_path / "no" / "mine.py"), "cannot be written (No such file")
