"""Shows the lab's steps in Keras and in Lightning, cut from the real source by name when a report is built.

Sources are read as text: nothing of the two frameworks is imported here.
"""

import ast
import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Cut:
    """A piece of source."""

    path: str  # the file, from the project's folder
    name: str  # of the function, class or constant; dotted inside a class
    # of each of these texts, the smallest statement that contains it; empty for all of it
    containing: tuple[str, ...] = ()

    @property
    def location(self) -> str:
        """The file and the name in it."""
        return f"{self.path}, {self.name}"


@dataclass(frozen=True)
class Step:
    """A step of the lab."""

    title: str  # what is done
    # keras, lightning: how each framework's side does it, in one or several pieces
    keras: tuple[Cut, ...]
    lightning: tuple[Cut, ...]
    difference: str  # one sentence
    traps: tuple[str, ...] = ()  # identifiers of the catalogue: what silently differs here


KERAS_DATA, LIT_DATA = "keras_reference/data.py", "lightning_mlp/data.py"
KERAS_MODEL, LIT_MODEL = "keras_reference/model.py", "lightning_mlp/model.py"
KERAS_TRAIN, LIT_TRAIN = "keras_reference/train.py", "lightning_mlp/train.py"
PICTURES = "mlp_spec/runs/pictures.py"

STEPS = (
    Step(
        "Load",
        (Cut(KERAS_DATA, "download", ("load_data()",)),),
        (Cut(LIT_DATA, "download", ("train, test =",)),),
        "Keras returns four arrays; torchvision returns two data sets of images and labels, from which the same four "
        "are taken.",
    ),
    Step(
        "Look",
        (Cut(PICTURES, "first_image", ("axes.imshow",)),),
        (Cut(PICTURES, "first_image", ("axes.imshow",)),),
        "The same line on both sides: an image is an array of 28 x 28 bytes (uint8), 0 for paper and 255 for ink.",
    ),
    Step(
        "Reshape",
        (Cut(KERAS_DATA, "scale", (".reshape(-1, 784)",)),),
        (Cut(LIT_DATA, "hold", ("images.reshape(-1, 784)",)),),
        "The same numpy call: rows of the image one after the other.",
        ("pixels-moved",),
    ),
    Step(
        "Scale",
        (Cut(KERAS_DATA, "scale", ('.astype("float32") / 255',)),),
        (Cut(LIT_DATA, "hold", (".div_(255)",)),),
        "Both divide float32 by 255; multiplying by 1/255, or the usual mean and deviation of PyTorch's tutorials, "
        "would be other pixels.",
        ("pixels-reciprocal", "pixels-standardised", "pixels-centred", "pixels-256"),
    ),
    Step(
        "Encode",
        (Cut(KERAS_DATA, "preprocess", ("keras.utils.to_categorical(digits.train_labels, 10)",)),),
        (Cut(LIT_DATA, "hold", ("torch.from_numpy(labels.astype(np.int64))",)),),
        "Keras's categorical cross-entropy takes one-hot rows, PyTorch's takes class numbers.",
        ("labels-changed", "label-smoothing"),
    ),
    Step(
        "Build",
        (Cut(KERAS_MODEL, "build_model"),),
        (Cut(LIT_MODEL, "LitMLP.__init__", ("layers = []", "in pairwise(", "nn.Sequential(", "for layer in self.")),),
        "Dense starts from Glorot's law and zero biases and ends in a softmax; nn.Linear must be told the first, and "
        "leaves the softmax to the loss.",
        ("torch-init", "bias-init", "softmax-twice", "activation"),
    ),
    Step(
        "Summarise",
        (Cut(KERAS_TRAIN, "train", ("model.summary()",)),),
        (Cut(LIT_TRAIN, "show"),),
        "Keras has a summary of its own; on the other side, a loop over the module's layers fills a table.",
    ),
    Step(
        "Compile",
        (
            Cut(KERAS_MODEL, "OPTIMIZERS"),
            Cut(KERAS_MODEL, "compile_model", ("optimizer = OPTIMIZERS", "model.compile(")),
        ),
        (Cut(LIT_MODEL, "LitMLP.configure_optimizers"),),
        "Keras's compile names optimizer, loss and metrics; in Lightning the optimizer is a method, the loss stands in "
        "the training step, and an equal name is no equal optimizer.",
        ("adam-epsilon-place", "learning-rate", "momentum", "rmsprop-epsilon-place", "weight-decay-coupled"),
    ),
    Step(
        "Fit",
        (Cut(KERAS_TRAIN, "fit", ("history = model.fit(",)),),
        (Cut(LIT_MODEL, "LitMLP.training_step"), Cut(LIT_TRAIN, "fit", ("trainer.fit(",))),
        "fit hides the training step; Lightning asks for it, and does the gradients and the update.",
        ("loss-sum", "clipped-probabilities", "drop-last", "own-order", "accumulation"),
    ),
    Step(
        "History",
        (Cut(KERAS_TRAIN, "fit", ("results.add_epoch(",)),),
        (Cut("lightning_mlp/history.py", "History.on_train_epoch_end", ("self.history[name].append(",)),),
        "fit returns a History, so `model = model.fit(...)` loses the model; in Lightning a callback collects what "
        "the module logs.",
        ("mean-of-means", "last-batch-loss", "not-reset"),
    ),
    Step(
        "Plot",
        (Cut(PICTURES, "accuracy_by_epoch", ("axes.plot(",)),),
        (Cut(PICTURES, "accuracy_by_epoch", ("axes.plot(",)),),
        "The same lines on both sides: accuracy of the test and of the training images against the epoch.",
    ),
)


@cache
def parse_file(path: str) -> tuple[str, ast.Module]:
    """Returns a file's text and its syntax tree."""
    text = (ROOT / path).read_text(encoding="utf-8")
    return text, ast.parse(text)


def cut_source(cut: Cut) -> str:
    """Returns a piece of source, without its indentation and its docstring.

    Raises:
        LookupError: there is no such name in the file, or no statement with that text.
    """
    text, node = parse_file(cut.path)
    for name in cut.name.split("."):
        node = next((child for child in node.body if name in defined_names(child)), None)
        if node is None:
            raise LookupError(f"{cut.path} has no {cut.name}")
    if not cut.containing:
        return source_without_docstring(text, node)
    return "\n".join(source_of(text, smallest_statement(text, node, wanted, cut)) for wanted in cut.containing)


def defined_names(node: ast.AST) -> set[str]:
    """Returns what a statement defines: a function's or class's name, or the names it assigns."""
    targets = getattr(node, "targets", [])
    return {getattr(node, "name", None), *(target.id for target in targets if isinstance(target, ast.Name))}


def smallest_statement(text: str, node: ast.AST, wanted: str, cut: Cut) -> ast.AST:
    """Returns the smallest statement below a node that contains the text that is wanted."""
    statements = [child for child in ast.walk(node) if isinstance(child, ast.stmt) and wanted in source_of(text, child)]
    if not statements:
        raise LookupError(f"{cut.location} has no statement with {wanted!r}")
    return min(statements, key=lambda statement: len(source_of(text, statement)))


def source_of(text: str, node: ast.AST) -> str:
    """Returns a node's lines without their indentation."""
    return textwrap.dedent("\n".join(text.splitlines()[node.lineno - 1 : node.end_lineno]))


def source_without_docstring(text: str, node: ast.AST) -> str:
    """Returns a definition's lines without its docstring: the page says in its own words what it does."""
    lines = text.splitlines()[node.lineno - 1 : node.end_lineno]
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) is not None:
        start, end = (number - node.lineno for number in (node.body[0].lineno, node.body[0].end_lineno + 1))
        while lines[end : end + 1] == [""]:
            end += 1
        del lines[start:end]
    return textwrap.dedent("\n".join(lines))


def highlight(code: str) -> list[tuple[str, str]]:
    """Splits Python into (class, text): comments, strings, keywords and numbers are coloured, the rest is not."""
    from pygments.lexers import PythonLexer
    from pygments.token import Comment, Keyword, Name, Number, String

    kinds = ((Comment, "comment"), (String, "string"), (Keyword, "keyword"), (Number, "number"),
             (Name.Function, "name"), (Name.Class, "name"))  # fmt: skip
    return [
        (next((style for kind, style in kinds if token in kind), ""), text)
        for token, text in PythonLexer(stripnl=False, ensurenl=False).get_tokens(code)
    ]


def build_steps() -> list[dict]:
    """Builds the lab's steps with both sides' source, as the page shows them."""
    return [
        {
            "title": step.title,
            "difference": step.difference,
            "traps": list(step.traps),
            "sides": [
                {
                    "title": title,
                    "style": title.lower(),
                    "location": "; ".join(cut.location for cut in cuts),
                    "tokens": highlight("\n\n".join(map(cut_source, cuts))),
                }
                for title, cuts in (("Keras", step.keras), ("Lightning", step.lightning))
            ],
        }
        for step in STEPS
    ]
