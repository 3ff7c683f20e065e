"""What a network says of pictures: bars and what it sees, at 80 columns, in colour, without, and in ASCII."""

import io

import numpy as np
import pytest
from rich.console import Console

from lightning_mlp.predict.answers import Answer, describe_network, print_answers

ORIGIN = {
    "checkpoint": "runs/one/checkpoint.ckpt",
    "converted_from": None,
    "experiment": "bigger",
    "experiment_hash": "0123456789ab",
    "seed": 0,
    "dataset": "mnist",
    "epochs": 20,
}


def answer():
    pixels = np.zeros((28, 28), np.uint8)
    pixels[4:24, 13:15] = 255
    pixels[4, 12], pixels[23, 15] = 200, 127
    return Answer("[one].png", pixels, np.array([0, 0.75, 0, 0, 0.004, 0, 0, 0.246, 0, 0]))


class Ascii(io.StringIO):
    encoding = "ascii"


def printed(file=None, **options):
    file = file or io.StringIO()
    print_answers(ORIGIN, [answer()], Console(file=file, width=80, highlight=False, **options))
    return file.getvalue()


GOLDEN = """
[one].png: 1  (75.0%)


            ▀██                0                                  0.0%
             ██                1 ██████████████████████          75.0%
             ██                2                                  0.0%
             ██                3                                  0.0%
             ██                4                                  0.4%
             ██                5                                  0.0%
             ██                6                                  0.0%
             ██                7 ███████                         24.6%
             ██                8                                  0.0%
             ██                9                                  0.0%



answered by bigger, seed 0, data set mnist, epochs 20
checkpoint runs/one/checkpoint.ckpt
"""


def plain(text):
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"


def test_what_is_piped_is_plain_and_fits_80_columns():
    text = printed()
    assert plain(text) == GOLDEN
    assert "\x1b" not in text and max(map(len, text.splitlines())) <= 80


def test_a_terminal_gets_greys_and_no_color_takes_them_away():
    text = printed(force_terminal=True, color_system="truecolor")
    assert "\x1b[38;2;200;200;200" in text and "48;2;127;127;127" in text  # one pixel above, one below
    without = printed(force_terminal=True, color_system="truecolor", no_color=True)
    assert "38;2" not in without and "48;2" not in without and "██" in without


def test_a_terminal_of_16_colours_gets_blocks():
    text = printed(force_terminal=True, color_system="standard")
    assert "██" in text


def test_ascii_is_enough():
    text = printed(file=Ascii())
    assert text.isascii()
    assert "1 ######################          75.0%" in text and "::" in text


def test_what_is_unknown_is_said():
    origin = {**ORIGIN, "seed": None, "dataset": None, "epochs": None, "converted_from": "own.keras"}
    assert describe_network(origin).splitlines() == [
        "answered by bigger, seed unknown, data set unknown, epochs unknown, converted from own.keras",
        "checkpoint runs/one/checkpoint.ckpt",
    ]


def test_values_for_machines():
    fields = answer().to_dict()
    assert fields["digit"] == 1 and fields["picture"] == "[one].png"
    assert fields["probabilities"] == pytest.approx([0, 0.75, 0, 0, 0.004, 0, 0, 0.246, 0, 0])
    assert np.array(fields["pixels"]).shape == (28, 28) and fields["pixels"][4][12] == 200
