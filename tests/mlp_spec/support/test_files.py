"""Files appear whole or not at all."""

import json

import pytest

from mlp_spec.support.files import replacing, write_json, write_text


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_file_appears_when_the_block_ends_well(tmp_path):
    with replacing(tmp_path / "notes.txt") as temporary:
        temporary.write_text("new")
        assert names(tmp_path) == [temporary.name] != ["notes.txt"]
    assert names(tmp_path) == ["notes.txt"]
    assert (tmp_path / "notes.txt").read_text() == "new"


def test_the_temporary_file_lies_beside_and_keeps_the_ending(tmp_path):
    with replacing(str(tmp_path / "picture.png")) as temporary:
        assert (temporary.parent, temporary.suffix) == (tmp_path, ".png")
        temporary.touch()


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
def test_a_writer_that_fails_leaves_nothing(tmp_path, failure):
    with pytest.raises(failure), replacing(tmp_path / "notes.txt") as temporary:
        temporary.write_text("half")
        raise failure
    assert names(tmp_path) == []


def test_a_writer_that_fails_leaves_the_older_file(tmp_path):
    (tmp_path / "notes.txt").write_text("old")
    with pytest.raises(RuntimeError), replacing(tmp_path / "notes.txt") as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert names(tmp_path) == ["notes.txt"]
    assert (tmp_path / "notes.txt").read_text() == "old"


def test_a_writer_that_writes_nothing_is_an_error_and_leaves_the_older_file(tmp_path):
    (tmp_path / "notes.txt").write_text("old")
    with pytest.raises(FileNotFoundError), replacing(tmp_path / "notes.txt"):
        pass
    assert (tmp_path / "notes.txt").read_text() == "old"


def test_text_is_utf8(tmp_path):
    write_text(tmp_path / "notes.txt", "größer\n")
    assert (tmp_path / "notes.txt").read_bytes() == "größer\n".encode()


def test_json_is_indented_and_readable(tmp_path):
    value = {"name": "größer", "curve": [0.1, 1 / 3, 1e-12], "none": None}
    write_json(tmp_path / "value.json", value)
    text = (tmp_path / "value.json").read_text(encoding="utf-8")
    assert json.loads(text) == value
    assert '\n  "name": "größer"' in text and text.endswith("}\n")


def test_a_value_that_is_no_json_leaves_the_older_file(tmp_path):
    write_json(tmp_path / "value.json", [1])
    with pytest.raises(TypeError):
        write_json(tmp_path / "value.json", {1, 2})
    assert json.loads((tmp_path / "value.json").read_text()) == [1]
    assert names(tmp_path) == ["value.json"]
