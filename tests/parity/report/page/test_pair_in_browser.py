"""The page of a pair file in a real browser: the first layer that departs is seen at once, and no name is markup."""

import json
from pathlib import Path

import pytest
from opened_page import OpenedPage
from playwright.sync_api import expect
from sample_reports import DEEP, EVIL, build_pair_report, pair_sides

from parity.report.page.render import render

LAYERS = [DEEP.format(number) for number in range(40)]
FIRST = 25


def write_page(folder: Path, layers: list[str], departs_from: int) -> Path:
    """Writes the page of a pair file whose layers depart from one on."""
    sides = [side.parts for side in pair_sides(layers)]
    path = folder / "report.html"
    path.write_text(render(build_pair_report(layers, departs_from), *sides))
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    """The page of a deep model, whose last layers depart."""
    return write_page(tmp_path_factory.mktemp("pair"), LAYERS, FIRST)


@pytest.fixture
def opened(browser, path):
    """The page, freshly opened."""
    report_page = OpenedPage(browser, path)
    yield report_page
    report_page.context.close()


def test_it_loads_from_disk_without_errors_or_requests(opened, path):
    assert opened.page.title() == "Parity report: mine"
    assert opened.errors == [] and opened.requests == [path.as_uri()]
    titles = opened.page.locator("h2").all_inner_texts()
    assert titles == ["What was found", "Layer by layer", "The ladder", "Curves", "Speed and environment"]
    targets = [link.get_attribute("href") for link in opened.page.locator("nav a").all()]
    assert targets == ["#found", "#layers", "#ladder", "#curves", "#environment"]
    assert all(opened.page.locator(target).count() == 1 for target in targets)


def test_the_first_layer_that_departs_is_marked_between_those_that_agree_and_those_that_do_not(opened):
    chart = opened.page.locator("#chart-layers-0")
    mark = chart.locator("line.mark").bounding_box()["x"]
    points = {kind: [point.bounding_box() for point in chart.locator(f".point.{kind}").all()] for kind in KINDS}
    assert [len(points[kind]) for kind in KINDS] == [FIRST, len(LAYERS) + 1 - FIRST]
    middles = {kind: [box["x"] + box["width"] / 2 for box in boxes] for kind, boxes in points.items()}
    assert max(middles["within"]) < mark - 2 and min(middles["beyond"]) == pytest.approx(mark, abs=2)
    assert max(box["y"] for box in points["beyond"]) < min(box["y"] for box in points["within"])  # higher up
    label = chart.locator(".marked")
    assert label.inner_html().endswith(f"batch_normalization_{FIRST}")
    area, text = chart.locator("svg[role=img]").bounding_box(), label.bounding_box()
    assert area["x"] < text["x"] and text["x"] + text["width"] < area["x"] + area["width"]


KINDS = ("within", "beyond")


def test_pointing_at_a_layer_shows_its_name_and_numbers(opened):
    chart = opened.page.locator("#chart-layers-0")
    chart.locator(".plot").focus()
    opened.page.keyboard.press("Home")
    assert chart.locator(".tip").inner_text().splitlines()[0] == f"1. {LAYERS[0]}"
    opened.page.keyboard.press("End")
    text = chart.locator(".tip").inner_text()
    assert "41. the model's output" in text and "0.0100" in text and "1.00e-06" in text


def test_a_table_has_every_layer_under_its_whole_name(opened):
    table = opened.page.locator("table.layers").first
    expect(table).to_be_visible()  # it is the first mode that fails
    expect(opened.page.locator("table.layers").last).not_to_be_visible()
    assert [name.inner_text() for name in table.locator("th.path").all()] == [*LAYERS, "the model's output"]
    assert table.locator("tr.departs").count() == len(LAYERS) + 1 - FIRST
    opened.page.get_by_text("Which tensor is which (40)").click()
    assert opened.page.locator("#found table td.path").first.inner_text() == f"{LAYERS[0]}/kernel"


def test_a_wide_chart_scrolls_on_a_narrow_screen_and_its_values_stand_beside_the_cursor(browser, path):
    report_page = OpenedPage(browser, path, viewport={"width": 400, "height": 800})
    plot = report_page.page.locator("#chart-steps .plot")
    assert plot.evaluate("node => node.scrollWidth > node.clientWidth + 100")
    plot.focus()
    report_page.page.keyboard.press("End")
    plot.evaluate("node => { node.scrollLeft = 10000; }")
    tip, cursor = (plot.locator(name).bounding_box() for name in (".tip", ".cursor"))
    assert 0 < cursor["x"] - (tip["x"] + tip["width"]) < 30
    report_page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 400])
def test_axe_finds_nothing_serious(browser, path, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    report_page = OpenedPage(browser, path, color_scheme=scheme, viewport={"width": width, "height": 800})
    for details in report_page.page.locator("details").all():
        details.evaluate("node => { node.open = true; }")
    results = Axe().run(report_page.page).response
    serious = [
        (rule["id"], rule["nodes"][0]["html"])
        for rule in results["violations"]
        if rule["impact"] in ("serious", "critical")
    ]
    assert serious == [] and len(results["passes"]) > 20
    assert report_page.page.evaluate("document.documentElement.scrollWidth") <= width  # nothing sticks out
    report_page.context.close()


def test_names_with_script_in_them_stay_text(browser, tmp_path):
    layers = [f"{EVIL}/first", EVIL, "</script><script>window.broken = 1</script>"]
    sides = [side.parts for side in pair_sides(layers)]
    report = build_pair_report(layers, 1)
    report["experiment"]["name"] = report["experiment"]["pair_file"]["name"] = EVIL
    report["findings"]["notes"]["keras"] = [EVIL]
    report["findings"]["metrics"][EVIL] = EVIL
    for side in report["sides"].values():
        side["history"][EVIL] = [1.0, 2.0, 3.0]
    report["checks"][1]["layers"][0]["why"] = report["checks"][1]["layers"][0]["alone"]["why"] = EVIL
    found = {"id": EVIL, "title": EVIL, "formulas": {EVIL: EVIL}, "check": EVIL, "explained": 1.0, "changes": [EVIL]}
    report["differences"] = {"found": [found], "left": [], "refused": {EVIL: EVIL}, "tried": [EVIL], "accepted": []}
    (tmp_path / "report.html").write_text(render(json.loads(json.dumps(report)), *sides))
    report_page = OpenedPage(browser, tmp_path / "report.html")
    assert report_page.page.evaluate("window.broken") is None and report_page.errors == []
    assert report_page.page.locator("li.cause").first.inner_text().count("<script>") >= 5
    assert report_page.page.locator("table.layers th.path").nth(1).inner_text() == EVIL
    for chart in ("#chart-layers-0", "#chart-3"):  # a name becomes a heading of a tooltip, or a title
        report_page.page.locator(f"{chart} .plot").focus()
        report_page.page.keyboard.press("End")
        report_page.page.keyboard.press("ArrowLeft")
    assert EVIL in report_page.page.locator("#chart-3 figcaption").inner_text()
    assert report_page.page.evaluate("window.broken") is None and report_page.errors == []
    report_page.context.close()


def test_a_pair_that_agrees_has_no_mark(browser, tmp_path):
    report_page = OpenedPage(browser, write_page(tmp_path, LAYERS, len(LAYERS) + 5))
    assert report_page.page.locator("h1").inner_text().startswith("PARITY: Keras and Lightning agree on mine")
    assert report_page.page.locator("#layers .mark").count() == 0
    assert report_page.page.locator(".point.beyond").count() == 0
    report_page.context.close()
