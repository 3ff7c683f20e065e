"""All reports of a run: each is a pure function of `report.json` and of what both sides recorded."""

from pathlib import Path

from mlp_spec.support.files import write_json, write_text
from parity.protocol.records import Record


def publish(
    report: dict, keras: dict[str, Record], lightning: dict[str, Record], folder: Path, form: str = "text"
) -> None:
    """Writes `report.json`, the page, the Markdown report and (if both trained) the curves; prints the summary.

    Args:
        report: what `parity.report.build` returned, or what `report.json` holds.
        keras, lightning: each side's records by part.
        folder: the run's.
        form: `json` prints `report.json` in place of the summary.
    """
    from parity.report import curves, markdown, terminal
    from parity.report.build import is_of_lab
    from parity.report.page.render import render

    write_json(folder / "report.json", report)
    write_text(folder / "report.md", markdown.render(report))
    write_text(folder / "report.html", render(report, keras, lightning))
    if is_of_lab(report) and all(report["sides"].values()):  # the picture is of the lab's four curves
        curves.draw(report, folder / "curves.png")
    if form == "json":
        print((folder / "report.json").read_text(encoding="utf-8"), end="")
    else:
        terminal.show(report, str(folder))
