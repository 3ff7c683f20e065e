"""The display: rows with bars, the ladder while it is climbed; on a terminal, and elsewhere as plain lines."""

import io

import pytest
from rich.console import Console

from parity.ladder.progress import LINES, LadderProgress, Progress, Row, format_duration
from parity.rungs.check import Check

EVENTS = [
    {"event": "start", "dataset": "mnist-sample", "device": "cpu"},
    {"event": "begin", "part": "facts"},
    {"event": "part", "part": "facts"},
    {"event": "note", "text": "model.py took 9 s to import"},
    {"event": "begin", "part": "lockstep"},
    {"event": "epoch", "epoch": 1, "seconds": 1.5, "metrics": {"loss": 1.0, "val_acc": 0.5}},
]


def render(progress: Progress, width: int = 80) -> list[str]:
    """The lines that are shown on a terminal."""
    console = Console(file=io.StringIO(), width=width)
    console.print(progress.render())
    return console.file.getvalue().splitlines()


def test_a_side_may_say_how_many_epochs_it_trains():
    stream = io.StringIO()
    with Progress(stream) as progress:
        on_event = progress.follow("Keras", 1)
        on_event({**EVENTS[0], "epochs": 12})
        on_event(EVENTS[-1])
    assert "Epoch  1/12" in stream.getvalue()


def test_elsewhere_than_on_a_terminal_it_is_plain_lines():
    stream = io.StringIO()
    with LadderProgress(2, "a note", stream) as progress:
        on_event = progress.follow_side("keras")
        for event in EVENTS:
            on_event(event)
        progress.show_result("facts", [Check("x", "data", "pass"), Check("y", "data", "fail")])
    assert stream.getvalue().splitlines() == [
        "Keras      starting",
        "a note",
        "Keras      training on mnist-sample on cpu",
        "Keras      facts",
        "Keras      lockstep",
        "Keras      Epoch 1/2    1.5 s  loss 1.0000  val_acc 0.5000",
        "ladder     data: fail",
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_the_live_table_has_every_rung_and_fits_the_terminal(width):
    progress = LadderProgress(2, stream=io.StringIO())
    on_event = progress.follow_side("keras")
    for event in EVENTS:
        on_event(event)
    progress.show_result("facts", [Check("x", "experiment", "pass")])
    progress.show_result("metrics", [Check("x", "data", "fail")])
    progress.show_result("facts", [Check("x", "data", "pass")])  # a later pass does not hide a failure
    lines = render(progress, width)
    assert len(lines) <= 20 and all(len(line.rstrip()) <= width for line in lines)
    rows = {line[:20].strip(): line[20:].split() for line in lines}
    assert rows["experiment"] == ["answered", "pass"] and rows["data"] == ["answered", "fail"]
    assert rows["lockstep"] == ["at", "work"] and rows["interchange"] == [] and "lockstep, restarted" in rows
    assert any("Epoch 1/2" in line for line in lines)


def test_a_note_is_shown_while_it_is_new_and_printed_where_no_summary_has_it():
    ladder, plain = LadderProgress(2, stream=io.StringIO()), Progress(io.StringIO())
    for progress in (ladder, plain):
        progress.follow("Keras", 2)(EVENTS[3])
    assert any("model.py took 9 s to import" in line for line in render(ladder))
    assert "took" not in ladder.stream.getvalue()
    assert plain.stream.getvalue().splitlines() == ["Keras      starting", "Keras: model.py took 9 s to import"]


def test_a_rung_that_is_judged_from_a_later_part_alone_shows_that():
    progress = LadderProgress(2, stream=io.StringIO())
    progress.follow_side("keras")({"event": "part", "part": "lockstep"})
    (line,) = [line for line in render(progress) if line.startswith("metrics")]
    assert line.split() == ["metrics", "answered"]


def test_a_restarted_epoch_has_a_line_of_its_own():
    progress = LadderProgress(2, stream=io.StringIO())
    progress.show_result("lockstep", [Check("x", "lockstep", "pass"), Check("y", "speed", "info")])
    progress.show_result("restarts", [Check("x", "lockstep", "fail")])
    assert progress.results == {"lockstep": {"lockstep": "pass"}, "lockstep, restarted": {"restarts": "fail"}}
    progress.show_result("restarts", [Check("x", "lockstep", "pass")])  # judged once more
    (line,) = [line for line in render(progress) if line.startswith("lockstep, restarted")]
    assert line.split()[-1] == "pass"
    labels = [label for label, _ in LINES]
    assert len(labels) == len(set(labels)) and "speed" not in labels and "data, restarted" not in labels


def test_a_process_that_could_not_answer_shows_it():
    progress = LadderProgress(2, stream=io.StringIO())
    progress.follow_side("lightning")({"event": "failed", "part": "metrics"})
    (line,) = [line for line in render(progress) if line.startswith("metrics")]
    assert "no answer" in line


def test_rows_show_their_bars_and_counts():
    progress = Progress(io.StringIO())
    row = progress.add_row("runs", total=8, completed=2)
    row.completed, row.text = 4, "seed 3"
    progress.add_row("Keras").text = "waiting"
    lines = render(progress)
    assert lines[0] == "runs       ━━━━━━━━╌╌╌╌╌╌╌╌ 4/8  seed 3"
    assert lines[1] == "Keras      waiting"
    assert Row("empty", total=0).bar() == Row("nothing").bar() == ""


def test_the_time_left_is_told_by_what_was_finished_since_the_start():
    progress = Progress(io.StringIO())
    assert progress.time_left() == ""
    row = progress.add_row("runs", total=10, completed=4)
    assert progress.time_left() == ""  # nothing is new
    progress.started -= 100
    row.completed = 5  # one in 100 s: five more take 500 s
    assert progress.time_left().startswith("about 8 min left, until ")
    row.completed = 10
    assert progress.time_left() == ""


def test_the_note_on_the_offline_sample_is_printed_once_and_only_for_it():
    stream = io.StringIO()
    progress = Progress(stream, "a note")
    for dataset in ("mnist", "mnist-sample", "mnist-sample"):
        progress.print_sample_note(dataset)
    assert stream.getvalue() == "a note\n"


def test_signs_of_life_are_shown_in_the_row_and_not_as_lines():
    stream = io.StringIO()
    progress = Progress(stream)
    progress.follow("Keras", 3)({"event": "alive", "what": "noise floor, run 1"})
    assert progress.rows["Keras"].text == "noise floor, run 1" and stream.getvalue() == "Keras      starting\n"


def test_on_a_terminal_only_what_stays_is_printed():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    stream = Terminal()
    with Progress(stream) as progress:
        progress.add_row("runs", 2)
        progress.print("stays [as it is]")
        progress.print_plain("not shown")
    assert "stays [as it is]" in stream.getvalue() and "not shown" not in stream.getvalue()


def test_durations_are_said_as_people_say_them():
    assert [format_duration(seconds) for seconds in (20, 200, 9000)] == ["20 s", "3 min", "2.5 h"]
