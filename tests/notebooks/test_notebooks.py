"""The lab's notebooks: the same cell by cell, on the lab alone, and executed on the offline sample."""

import base64
import math
import re
from dataclasses import dataclass, field

import nbformat
import numpy as np
import pytest
from conftest import PYTHON, ROOT, run_python

from mlp_spec.experiment import PRESETS

FOLDER = ROOT / "notebooks"
SIDES = ("keras", "lightning")
SHORT = 'dataset = "mnist-sample"\nepochs_small, epochs_bigger, epochs_own = 2, 2, 2\n'
# What the texts say and no cell shows; each runs as one more cell of its notebook.
CLAIMS = {
    "keras": """
assert type(model.fit(x_train[:32], y_train[:32], verbose=0)) is keras.callbacks.History
""",
    "lightning": """
from lightning.pytorch.utilities.model_summary import ModelSummary
def seeded():
    lightning.seed_everything(0, verbose=False)
    return next(LitMLP().parameters())
assert torch.equal(seeded(), seeded()) and not torch.equal(seeded(), next(LitMLP().parameters()))
assert "19.9 K" in str(ModelSummary(LitMLP())) and "19,885" not in str(ModelSummary(LitMLP()))
assert trainer.fit(own, datamodule) is None
shuffling = inspect.signature(torch.utils.data.DataLoader).parameters["shuffle"].default
assert not shuffling
""",
}
MARK = re.compile(r"\*\*(Question \d+|Silent difference|Correction)\.\*\*")


def read(side: str) -> nbformat.NotebookNode:
    """The notebook as it lies in the folder."""
    return nbformat.read(FOLDER / f"{side}_lab.ipynb", as_version=4)


def headings(cell: nbformat.NotebookNode) -> list[str]:
    """The headings of a Markdown cell."""
    return re.findall(r"^#+ .*$", cell.source, re.MULTILINE) if cell.cell_type == "markdown" else []


def structure(notebook: nbformat.NotebookNode) -> list[tuple]:
    """What must be the same in both notebooks: a cell's name, kind and tags, its headings and marks."""
    return [
        (cell.id, cell.cell_type, cell.metadata.get("tags"), headings(cell), MARK.findall(cell.source))
        for cell in notebook.cells
    ]


def questions(notebook: nbformat.NotebookNode) -> list[str]:
    """The paragraphs that ask the student something."""
    paragraphs = "\n\n".join(cell.source for cell in notebook.cells).split("\n\n")
    return [text for text in paragraphs if text.startswith(("**Question ", "1. "))]


def parameters(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """The one cell that a student, or a test, changes first."""
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    return cell


# ---- what lies in the folder ---------------------------------------------------------------------------------------


def test_there_are_two_notebooks():
    stems = {"keras_lab", "lightning_lab"}
    assert {path.stem for path in FOLDER.glob("*_lab.py")} == stems == {path.stem for path in FOLDER.glob("*.ipynb")}


@pytest.mark.parametrize("side", SIDES)
def test_a_notebook_imports_the_lab_alone(side):
    code = "\n".join(cell.source for cell in read(side).cells if cell.cell_type == "code")
    packages = set(re.findall(r"^(?:from|import) (\w+)", code, re.MULTILINE))
    own = {"keras_like", "mlp_spec", "lightning_mlp"} if side == "lightning" else {"mlp_spec", "keras_reference"}
    assert packages & {path.parent.name for path in ROOT.glob("*/__init__.py")} == own


@pytest.mark.parametrize("side", SIDES)
def test_a_notebook_is_stored_without_outputs(side):
    code = [cell for cell in read(side).cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)


def test_both_notebooks_have_the_same_cells():
    keras, lightning = (structure(read(side)) for side in SIDES)
    assert keras == lightning
    assert len([cell for cell in keras if cell[3]]) > 10


@pytest.mark.parametrize(
    "change",
    [
        lambda notebook: notebook.cells.pop(),
        lambda notebook: notebook.cells.insert(3, notebook.cells[2]),
        lambda notebook: notebook.cells[0].update(source=notebook.cells[0].source.replace("# The", "# A")),
        lambda notebook: notebook.cells[-1].update(cell_type="raw"),
        lambda notebook: parameters(notebook).metadata.update(tags=[]),
    ],
    ids=["cell missing", "cell more", "heading", "kind", "tag"],
)
def test_cells_that_differ_are_seen(change):
    changed = read("keras")
    change(changed)
    assert structure(changed) != structure(read("lightning"))


def test_both_notebooks_ask_the_same_questions():
    keras, lightning = (questions(read(side)) for side in SIDES)
    assert keras == lightning
    numbers = [int(number) for text in keras for number in re.findall(r"\*\*Question (\d+)", text)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 5


@pytest.mark.parametrize("side", SIDES)
@pytest.mark.parametrize(
    "text",
    ["`uint8`", "`model = model.fit(...)`", "static graphs", "softmax", "nn.Linear", "varepsilon", "shuffle", "312"],
)
def test_a_mistake_or_difference_is_named_on_both_sides(side, text):
    marked = [part for cell in read(side).cells for part in cell.source.split("\n\n") if MARK.match(part)]
    assert any(text in part for part in marked)


@pytest.mark.parametrize("side", SIDES)
def test_the_code_fits_half_a_screen(side):
    lines = [line for cell in read(side).cells if cell.cell_type == "code" for line in cell.source.splitlines()]
    assert [line for line in lines if len(line) > 90] == []


@pytest.mark.parametrize("side", SIDES)
def test_the_epochs_are_the_labs(side):
    values = {}
    exec(parameters(read(side)).source, values)
    assert values["dataset"] == "auto"
    for preset in PRESETS:
        assert values[f"epochs_{preset}"] == PRESETS[preset].training.epochs


@pytest.mark.parametrize("side", SIDES)
def test_the_links_lead_somewhere(side):
    links = re.findall(r"\]\(([^)#]+)\)", "".join(cell.source for cell in read(side).cells))
    assert len(links) == 5
    for link in links:
        assert (FOLDER / link).exists(), link


@pytest.mark.parametrize("side", SIDES)
def test_the_commands_are_the_readmes(side):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"`(python -m [^`]+)`", "".join(cell.source for cell in read(side).cells))
    assert commands
    for line in commands:
        assert line in readme, line


def test_the_numbers_in_the_texts_are_right():
    import inspect

    import torch

    text = "\n".join(cell.source for cell in read("lightning").cells)
    # softmax of the ideal probabilities: a 1 among ten gets e / (e + 9)
    assert "loss below 1.46" in text
    assert round(-math.log(math.e / (math.e + 9)), 2) == 1.46
    pixels = np.arange(256, dtype=np.float32)
    assert "126 of the 256" in text
    assert (pixels / 255 != pixels * np.float32(1 / 255)).sum() == 126
    assert "more than twice" in text
    assert 2 < math.sqrt(6 / (784 + 25)) * math.sqrt(784) < 2.5
    assert "312 batches of 32 and one of 16" in text
    assert divmod(10_000, 32) == (312, 16)
    assert "default step size for SGD is 0.001" in text
    assert inspect.signature(torch.optim.SGD).parameters["lr"].default == 0.001
    # the first step of either Adam, in units of the learning rate: m = (1 - beta_1) g, v = (1 - beta_2) g^2
    gradient = 1e-5
    keras = gradient / (gradient + 1e-7 / math.sqrt(1 - 0.999))
    assert "24 % shorter" in text
    assert round(1 - keras / (gradient / (gradient + 1e-8)), 2) == 0.24


# ---- what comes out of them ----------------------------------------------------------------------------------------


@dataclass
class Section:
    """What the cells under a heading put out: printed text, and pictures as PNG files."""

    text: str = ""
    pictures: list[bytes] = field(default_factory=list)


def execute(notebook: nbformat.NotebookNode, folder):
    """Executes a notebook in a folder of its own; returns how that ended, and the executed notebook."""
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook, folder / "notebook.ipynb")
    homes = {name: str(folder) for name in ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR")}
    ended = run_python(
        ROOT / "tests/notebooks/execute.py", folder / "notebook.ipynb", folder / "executed.ipynb", env=homes
    )
    return ended, nbformat.read(folder / "executed.ipynb", as_version=4)


def sections(notebook: nbformat.NotebookNode) -> dict[str, Section]:
    """Gathers the outputs by the heading that they stand under."""
    by_heading, section = {}, Section()
    for cell in notebook.cells:
        for heading in headings(cell):
            section = by_heading.setdefault(heading.lstrip("# "), Section())
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            section.text += output.get("text", "") + data.get("text/plain", "") + "\n"
            if "image/png" in data:
                section.pictures.append(base64.b64decode(data["image/png"]))
    return by_heading


@pytest.fixture(scope="module", params=SIDES)
def executed(request, tmp_path_factory):
    """Each notebook, executed with two epochs on the offline sample."""
    notebook = read(request.param)
    parameters(notebook).source = SHORT
    notebook.cells.append(nbformat.v4.new_code_cell(CLAIMS[request.param]))
    ended, done = execute(notebook, tmp_path_factory.mktemp(request.param))
    assert ended.status == 0, ended.err
    return done


def test_every_cell_runs_and_none_warns(executed):
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        assert all(output.output_type != "error" for output in cell.outputs)
        assert [output.text for output in cell.outputs if output.get("name") == "stderr"] == [], cell.source


def test_what_the_student_sees_is_the_labs(executed):
    seen = sections(executed)
    assert "mnist-sample" in seen["Load the data"].text and "4,000" in seen["Load the data"].text
    assert "(4000, 28, 28) uint8" in seen["Look at the data"].text
    for count in ("19,625", "260", "19,885"):
        assert count in seen["Summarise the model"].text, count
    assert "(4000, 784)" in seen["Reshape and scale"].text
    assert "SGD with a learning rate of 0.01" in seen["Compile the model"].text
    assert "88,235" in seen["Build a bigger model"].text
    assert re.search(r"epsilon: 1e-07", seen["Build a bigger model"].text)
    for heading in ("Does it under- or overfit?", "Build a bigger model", "Build your own model"):
        assert len(re.findall(r"The model (underfits|overfits|neither)", seen[heading].text)) == 1, heading


def test_the_history_has_four_curves_of_two_epochs(executed):
    text = sections(executed)["Read the history"].text
    curves = {
        name: list(map(float, numbers.split())) for name, numbers in re.findall(r"^ *(\w+): ([\d. ]+)$", text, re.M)
    }
    assert set(curves) == {"loss", "acc", "val_loss", "val_acc"}
    assert sorted(re.findall(r"'(\w+)'", text.splitlines()[0])) == sorted(curves)
    assert all(len(values) == 2 for values in curves.values())
    assert curves["loss"][1] < curves["loss"][0]


def test_every_picture_is_there(executed):
    for heading, section in sections(executed).items():
        drawn = heading in ("Look at the data", "Plot the accuracy", "Build a bigger model", "Build your own model")
        assert len(section.pictures) == drawn, heading
        assert all(picture.startswith(b"\x89PNG\r\n") and len(picture) > 2000 for picture in section.pictures)


def test_the_models_are_compared(executed):
    rows = re.findall(
        r"(\w+): +([\d,]+) parameters, +(\d+) epochs, val_acc ([\d.]+)", sections(executed)["Compare the models"].text
    )
    assert [row[:3] for row in rows] == [("small", "19,885", "2"), ("bigger", "88,235", "2"), ("own", "52,650", "2")]
    assert float(rows[1][3]) > float(rows[0][3])


def test_the_other_framework_is_not_loaded(executed):
    assert sections(executed)["One framework at a time"].text.strip().endswith("has loaded: nothing")


def test_a_cell_that_fails_is_seen_and_the_kernel_is_this_python(tmp_path):
    cells = ["import sys; print(sys.executable)", "raise ValueError('planted')"]
    ended, done = execute(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells]), tmp_path)
    assert ended.status == 1
    assert "planted" in ended.err
    assert done.cells[1].outputs[0].ename == "ValueError"
    assert done.cells[0].outputs[0].text.strip() == PYTHON
