"""The list of differences in words, and on the page, where nothing of it is taken for markup."""

from sample_reports import build_pair_report

from parity.report import differences, markdown, terminal
from parity.report.build import sentence
from parity.report.page import render

ONE = {
    "id": "momentum", "title": "Momentum <b>", "formulas": {"Keras": "v = m v - lr g", "candidate": "w -= lr g"},
    "rung": "optimizer", "check": "optimizer/weights-after-every-step", "explained": 0.9987,
    "changes": ["SGD(momentum=0): write 0.9"], "effect": {"val_loss": [0.5, 0.75], "val_acc": [0.875, 0.8125]},
}  # fmt: skip
SEARCHED = {"found": [ONE], "tried": ["momentum"], "refused": {"nesterov": "it has none"}, "left": []}

REPORT = build_pair_report()


def test_a_difference_is_told_with_its_share_both_formulas_and_what_to_write():
    assert differences.lines_of(ONE) == [
        "Momentum <b> [momentum]: 99.9% of optimizer/weights-after-every-step",
        "  Keras: v = m v - lr g",
        "  candidate: w -= lr g",
        "  SGD(momentum=0): write 0.9",
        "  alone: val_loss 0.75 in place of 0.5, val_acc 0.8125 in place of 0.875",
    ]
    assert len(differences.lines_of({**ONE, "effect": None})) == 4
    assert "from the same weights" in differences.lines_of({**ONE, "effect": {}})[-1]
    assert differences.heading(SEARCHED) == "1 difference, each proved by undoing it"
    assert differences.heading({"found": []}).startswith("No difference was found")


def test_a_report_without_a_search_has_no_list():
    assert differences.paragraphs({}) == []


def test_every_report_has_the_list():
    report = {**REPORT, "differences": SEARCHED}
    assert sentence(report).endswith(" 1 difference was found. With it undone, the pair is in parity.")
    text = markdown.render(report)
    assert "## 1 difference, each proved by undoing it" in text and "Momentum &lt;b&gt; [momentum]" in text
    page = render.render(report, {}, {})
    assert 'id="differences"' in page and "Momentum &lt;b&gt;" in page and "Momentum <b>" not in page
    assert "it has none" in page and "val_loss 0.75 in place of 0.5" in page and 'href="#differences"' in page
    assert 'id="differences"' not in render.render(REPORT, {}, {})


def test_the_terminal_has_the_list_above_the_verdict(capsys):
    terminal.show({**REPORT, "differences": SEARCHED}, "run")
    printed = capsys.readouterr().out
    assert printed.index("1 difference, each proved") < printed.index("write 0.9") < printed.index("NO PARITY")
