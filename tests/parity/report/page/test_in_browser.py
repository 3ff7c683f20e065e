"""The HTML report in a real browser, from the file system: it draws, answers, and can be used by everybody."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import run_python
from opened_page import OpenedPage
from playwright.sync_api import expect

from lightning_mlp.predict.drawing import as_mnist
from parity.report import render as parity_render
from parity.report.page.render import render


@pytest.fixture(scope="module")
def folder(parity_run) -> Path:
    """The folder of a short parity run."""
    return parity_run[0]


@pytest.fixture
def opened(browser, folder):
    """The report, freshly opened."""
    report_page = OpenedPage(browser, folder / "report.html")
    yield report_page
    report_page.context.close()


@pytest.fixture
def page(opened):
    """The report's page."""
    return opened.page


def test_it_loads_from_disk_without_errors_or_requests(opened, folder):
    assert opened.page.title() == "Parity report: small"
    assert opened.page.locator("h1").inner_text().startswith("PARITY: Keras and Lightning agree on small")
    assert opened.errors == []
    requested = [url for url in opened.requests if not url.startswith("data:")]
    assert requested == [(folder / "report.html").as_uri()]
    assert (folder / "report.html").stat().st_size < 3_000_000


def test_a_request_would_be_noticed_and_is_forbidden(browser, folder, tmp_path):
    text = (folder / "report.html").read_text().replace("<main", '<img src="http://127.0.0.1:9/x.png" alt="x"><main')
    (tmp_path / "report.html").write_text(text)
    report_page = OpenedPage(browser, tmp_path / "report.html")
    assert any("Content Security Policy" in error for error in report_page.errors)
    report_page.context.close()


def test_its_sections_are_in_the_order_of_a_reader(page):
    titles = page.locator("h2").all_inner_texts()
    assert titles == ["The ladder", "Curves", "The models", "What they see", "Draw a digit", "Idioms",
                      "Under- or overfit?", "Speed and environment"]  # fmt: skip


def test_every_rung_shows_its_question_and_every_check_its_numbers(page, folder):
    checks = json.loads((folder / "report.json").read_text())["checks"]
    assert page.locator(".check").count() == len(checks)
    assert page.locator(".rung").count() == len({check["rung"] for check in checks})
    assert all(text.endswith(("?", ".)")) for text in page.locator(".question").all_inner_texts())
    lockstep = page.locator(".check", has_text="batch loss, free run")
    assert "noise floor" in lockstep.locator(".numbers").inner_text()
    places = [lockstep.locator(f".bar .{name}").bounding_box()["x"] for name in ("floor", "limit")]
    assert places[0] < places[1]  # the limit is ten times the floor


def test_curves_are_drawn(page):
    charts = page.locator(".chart")
    assert charts.count() == 5
    for name in ("loss", "val_loss", "acc", "val_acc", "divergence"):
        chart = page.locator(f"#chart-{name}")
        for style in ("keras", "lightning") if name != "divergence" else ("lightning", "floor", "limit"):
            path = chart.locator(f"path.line.{style}").last
            assert len(path.get_attribute("d")) > 40
            assert path.bounding_box()["width"] > 100
        assert chart.locator("svg[role=img]").get_attribute("aria-label")


def test_pointing_at_a_chart_shows_its_values(page, folder):
    side = json.loads((folder / "report.json").read_text())["sides"]
    box = page.locator("#chart-val_acc .plot svg").bounding_box()
    page.locator("#chart-val_acc").scroll_into_view_if_needed()
    box = page.locator("#chart-val_acc .plot svg").bounding_box()
    tip = page.locator("#chart-val_acc .tip")
    assert not tip.is_visible()
    page.mouse.move(box["x"] + box["width"] - 20, box["y"] + box["height"] / 2)
    text = tip.inner_text()
    epochs = len(side["keras"]["history"]["val_acc"])
    assert f"Epoch {epochs}" in text
    for name in ("keras", "lightning"):
        assert f"{side[name]['history']['val_acc'][-1]:.4f}" in text
    page.mouse.move(5, 5)
    assert not tip.is_visible()


def test_a_chart_is_read_with_the_keyboard(page):
    page.locator("#chart-loss .plot").focus()
    page.keyboard.press("Home")
    assert "Epoch 1" in page.locator("#chart-loss .tip").inner_text()
    page.keyboard.press("ArrowRight")
    assert "Epoch 2" in page.locator("#chart-loss .tip").inner_text()
    page.keyboard.press("Escape")
    assert not page.locator("#chart-loss .tip").is_visible()


PREDICT = {
    "keras": """
import json, sys
import numpy as np
from keras_reference import backend
backend.start("cpu", "float32")
from keras_reference import data
from keras_reference.model import build_model, compile_model
from parity.adapters.keras.tensors import load_weights, table_of
from parity.protocol.task import read_record
model = compile_model(build_model())
load_weights(model, table_of(model), read_record(sys.argv[1], "lockstep").final)
images = data.scale(np.load(sys.argv[2]).reshape(-1, 28, 28))
print(json.dumps(model.predict(images, verbose=0).tolist()))
""",
    "lightning": """
import json, sys
import numpy as np, torch
from lightning_mlp import data
from lightning_mlp.model import LitMLP
from parity.adapters.torch.tensors import Binding
from parity.protocol.task import read_record
from parity.protocol.tensors import dense_table
model = LitMLP()
Binding(model, dense_table([(784, 25), (25, 10)]), read_record(sys.argv[1], "lockstep").final)
images = np.load(sys.argv[2]).reshape(-1, 28, 28)
held = data.hold(images, np.zeros(len(images), np.uint8))
with torch.no_grad():
    print(json.dumps(model.eval().predict_step(held.tensors[0]).tolist()))
""",
}
NETWORK_INPUT = """
() => [...document.getElementById("given").getContext("2d").getImageData(0, 0, 28, 28).data]
  .filter((_, at) => at % 4 === 0)
"""
NETWORK_OUTPUT = """
(at) => [...document.querySelectorAll(`[data-network="${at}"]`)].map((cell) => Number(cell.dataset.value))
"""


def draw_seven(page) -> None:
    """Draws a 7 with the mouse."""
    page.locator("#pad").scroll_into_view_if_needed()
    box = page.locator("#pad").bounding_box()
    page.mouse.move(box["x"] + 70, box["y"] + 60)
    page.mouse.down()
    for x, y in ((200, 60), (170, 130), (130, 230)):
        page.mouse.move(box["x"] + x, box["y"] + y, steps=8)
    page.mouse.up()
    expect(page.locator("[data-network]").first).not_to_have_attribute("data-value", "")


def test_a_stroke_is_answered_as_the_frameworks_themselves_answer(page, folder, tmp_path):
    assert page.locator("#answer").inner_text() == "Draw something."
    draw_seven(page)
    drawn = page.evaluate(NETWORK_INPUT), [page.evaluate(NETWORK_OUTPUT, at) for at in (0, 1)]
    page.locator("[data-example='3']").click()
    example = page.evaluate(NETWORK_INPUT), [page.evaluate(NETWORK_OUTPUT, at) for at in (0, 1)]
    assert drawn[0] != example[0] and max(drawn[0]) > 200
    np.save(tmp_path / "pixels.npy", np.array([drawn[0], example[0]], np.uint8))
    for at, name in enumerate(("keras", "lightning")):
        ended = run_python("-c", PREDICT[name], folder / name, tmp_path / "pixels.npy")
        assert ended.status == 0, ended.err
        expected = np.array(json.loads(ended.out.strip().splitlines()[-1]))
        np.testing.assert_allclose([drawn[1][at], example[1][at]], expected, rtol=0, atol=1e-5)
    bars = [page.locator(f"[data-network='{at}'] .fill").first.bounding_box() for at in (0, 1)]
    assert bars[0] and bars[1]


def test_a_drawing_is_centred_and_fits_the_box_of_mnist(page):
    draw_seven(page)
    image = np.array(page.evaluate(NETWORK_INPUT)).reshape(28, 28)
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    assert max(np.ptp(rows), np.ptp(columns)) + 1 == 20
    middle = np.arange(28) + 0.5
    centre = [middle @ image.sum(axis=axis) / image.sum() for axis in (1, 0)]
    assert all(13.9 <= place < 15.1 for place in centre)  # in pixel 14; bytes are rounded
    page.locator("#clear").click()
    expect(page.locator("[data-network]").first).to_have_attribute("data-value", "")
    assert page.locator("#answer").inner_text() == "Draw something."


INK = """
() => {
  const pad = document.getElementById("pad"), all = pad.getContext("2d").getImageData(0, 0, pad.width, pad.height).data;
  return [...all].filter((_, at) => at % 4 === 3);
}
"""


def test_the_page_prepares_a_drawing_as_the_command_prepares_a_picture(page):
    draw_seven(page)
    ink = np.array(page.evaluate(INK), np.float64).reshape(280, 280)
    expected = as_mnist(ink).astype(int)
    assert np.abs(np.array(page.evaluate(NETWORK_INPUT)).reshape(28, 28) - expected).max() <= 1  # sums in another order


def test_a_digit_can_be_drawn_with_the_keyboard_and_a_finger(browser, folder):
    report_page = OpenedPage(browser, folder / "report.html", has_touch=True)
    report_page.page.locator("#pad").focus()
    report_page.page.keyboard.press("Space")
    for _ in range(8):
        report_page.page.keyboard.press("ArrowDown")
    expect(report_page.page.locator("[data-network]").first).not_to_have_attribute("data-value", "")
    image = np.array(report_page.page.evaluate(NETWORK_INPUT)).reshape(28, 28)
    assert np.ptp(np.flatnonzero(image.any(axis=1))) + 1 == 20  # a vertical stroke
    report_page.page.keyboard.press("Delete")
    expect(report_page.page.locator("[data-network]").first).to_have_attribute("data-value", "")
    report_page.page.locator("#pad").scroll_into_view_if_needed()
    box = report_page.page.locator("#pad").bounding_box()
    report_page.page.touchscreen.tap(box["x"] + 140, box["y"] + 140)
    expect(report_page.page.locator("[data-network]").first).not_to_have_attribute("data-value", "")
    assert report_page.errors == []
    report_page.context.close()


def test_everything_is_reached_with_the_tab_key(page):
    reached = set()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    for _ in range(120):
        page.keyboard.press("Tab")
        reached |= {
            page.evaluate(
                "document.activeElement.id || document.activeElement.className || document.activeElement.tagName"
            )
        }
    assert {"pad", "clear", "plot", "scroll", "SUMMARY", "A", "BUTTON"} <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1200, 360])
def test_axe_finds_nothing_serious(browser, folder, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    report_page = OpenedPage(
        browser, folder / "report.html", color_scheme=scheme, viewport={"width": width, "height": 800}
    )
    report_page.page.locator("details").first.evaluate("node => { node.open = true; }")
    paper = report_page.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    results = Axe().run(report_page.page).response
    serious = [
        (rule["id"], rule["nodes"][0]["html"])
        for rule in results["violations"]
        if rule["impact"] in ("serious", "critical")
    ]
    assert serious == []
    assert len(results["passes"]) > 20  # it did look
    assert report_page.page.evaluate("document.documentElement.scrollWidth") <= width  # nothing sticks out
    report_page.context.close()


def test_axe_would_find_a_picture_without_text(browser, folder, tmp_path):
    from axe_playwright_python.sync_playwright import Axe

    text = (folder / "report.html").read_text()
    (tmp_path / "report.html").write_text(text.replace('alt="First-layer weights', 'data-gone="'))
    report_page = OpenedPage(browser, tmp_path / "report.html")
    assert "image-alt" in {rule["id"] for rule in Axe().run(report_page.page).response["violations"]}
    report_page.context.close()


def test_names_with_script_in_them_stay_text(browser, folder, tmp_path):
    report = parity_render.read_report(folder)
    evil = "<script>window.broken = 1</script><img src=x onerror='window.broken = 1'>"
    report["experiment"]["name"] = evil
    report["candidate"]["candidate"] = f"{evil}.py:Module"
    report["checks"][0] |= {"name": evil, "detail": evil, "status": "fail"}
    report["environment"]["processor"] = evil
    for side in report["sides"].values():
        side["layers"][0]["name"] = evil
    sides = [parity_render.read_records(folder / side) for side in ("keras", "lightning")]
    (tmp_path / "report.html").write_text(render(report, *sides))
    report_page = OpenedPage(browser, tmp_path / "report.html")
    assert report_page.page.evaluate("window.broken") is None
    assert report_page.errors == []
    assert report_page.page.locator(".check .name").first.inner_text() == evil
    report_page.context.close()


def test_it_prints_to_a_pdf(page, tmp_path):
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    data = (tmp_path / "report.pdf").read_bytes()
    assert data.startswith(b"%PDF")
    pages = data.count(b"/Type /Page\n") + data.count(b"/Type /Page/") + data.count(b"/Type/Page/")
    assert 3 <= pages <= 20


@pytest.mark.parametrize("missing", ["floor", "interchange", "lockstep", "all"])
def test_a_page_of_an_unfinished_run_says_what_is_missing(browser, folder, tmp_path, missing):
    report = parity_render.read_report(folder)
    sides = [parity_render.read_records(folder / side) for side in ("keras", "lightning")]
    for side in sides:
        if missing == "all":
            side.clear()
        side.pop(missing, None)
    if missing == "all":
        report["sides"] = {"keras": None, "lightning": None}
        report["verdict"] = "could-not-run"
        report["checks"] = report["checks"][:1]
        report["checks"][0]["status"] = "error"
    (tmp_path / "report.html").write_text(render(report, *sides))
    report_page = OpenedPage(browser, tmp_path / "report.html")
    assert report_page.errors == []
    assert report_page.page.locator(".missing").count() >= 1
    report_page.context.close()


def test_a_network_that_the_page_cannot_run_is_left_out(browser, folder, tmp_path):
    """The page's own network must answer as the framework did; here, the framework's answers are others."""
    report = parity_render.read_report(folder)
    keras, lightning = (parity_render.read_records(folder / side) for side in ("keras", "lightning"))
    own = np.roll(lightning["interchange"].own_probabilities, 1, axis=1)
    lightning["interchange"] = replace(lightning["interchange"], own_probabilities=own)
    (tmp_path / "report.html").write_text(render(report, keras, lightning))
    report_page = OpenedPage(browser, tmp_path / "report.html")
    assert "Only Keras's network runs here" in report_page.page.locator("#draw").inner_text()
    assert report_page.page.locator("h3", has_text="The images on which they disagree").count() == 1
    report_page.context.close()
