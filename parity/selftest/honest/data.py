"""What honest pairs are trained on: data sets, targets and losses, each as both sides write it."""

from dataclasses import dataclass, replace

from parity.selftest.honest.layers import Draw, Setting, Shape


@dataclass(frozen=True)
class Rows:
    """A data set: lines of Python that define `x`, and expressions of what may be learned from it."""

    name: str
    shape: Shape  # of one row of `x`, channels last
    lines: tuple[str, ...]
    classes: int = 0
    labels: str = ""  # class indices; empty where there are none
    values: str = ""  # a column of numbers, or several
    outputs: int = 1  # how many
    words: int = 0  # how many there are, if `x` holds whole numbers
    is_padded: bool = False  # whether rows end in steps of zeros
    most: int = 1000  # rows


def drawn(name: str, shape: Shape) -> Rows:
    """Returns rows of normal numbers, with three scores that depend on them."""
    size = 1
    for number in shape:
        size *= number
    lines = (
        "draw = np.random.default_rng({seed})",
        f"x = draw.standard_normal(({{rows}}, {', '.join(map(str, shape))})).astype('float32')",
        f"scores = x.reshape(len(x), -1) @ draw.standard_normal(({size}, 3)) / {round(size**0.5, 1)}",
    )
    return Rows(name, shape, lines, 3, "scores.argmax(axis=1)", "scores.astype('float32')", 3)


def padded(name: str, shape: Shape) -> Rows:
    """Returns rows of steps, of which each has two at least; zeros follow."""
    rows = drawn(name, shape)
    ended = f"x *= np.arange({shape[0]})[:, None] < draw.integers(2, {shape[0] + 1}, (len(x), 1, 1))"
    return replace(rows, lines=(*rows.lines[:2], ended, rows.lines[2]), is_padded=True)


def learned(name: str, shape: Shape, loader: str, x: str, **fields) -> Rows:
    """Returns one of scikit-learn's data sets, its rows in a drawn order."""
    lines = (
        f"data = datasets.{loader}()",
        "order = np.random.default_rng({seed}).permutation(len(data.target))[:{rows}]",
        f"x, target = ({x}).astype('float32')[order], data.target[order]",
    )
    return Rows(name, shape, lines, **fields)


VAL_ROWS = 50
STANDARDISED = "(data.data - data.data.mean(0)) / data.data.std(0)"
ROWS = (
    learned("digits", (8, 8, 1), "load_digits", "data.images[..., None] / 16", classes=10, labels="target"),
    learned("lines of digits", (8, 8), "load_digits", "data.images / 16", classes=10, labels="target"),
    learned("wine", (13,), "load_wine", STANDARDISED, classes=3, labels="target", most=170),
    learned(
        "diabetes", (10,), "load_diabetes", STANDARDISED, values="(target[:, None] / 100).astype('float32')", most=440
    ),
    drawn("images", (9, 10, 3)),
    drawn("steps", (14, 5)),
    drawn("volumes", (5, 6, 4, 2)),
    drawn("numbers", (12,)),
    Rows(
        "words",
        (12,),
        (
            "x = np.random.default_rng({seed}).integers(0, 30, ({rows}, 12))",
            "scores = np.stack([(x % 3 == rest).mean(1) for rest in range(3)], axis=1)",
        ),
        3,
        "scores.argmax(axis=1)",
        "scores.astype('float32')",
        3,
        words=30,
    ),
    padded("padded steps", (11, 5)),
)


@dataclass(frozen=True)
class Objective:
    """A loss, and what it is computed from."""

    targets: str  # the target's expression, of `labels` or `values`
    keras: str  # the loss
    loss: str  # of the port's output `out` and target `y`
    activation: str = "linear"  # of Keras's last layer
    output: str = "x"  # what the port's forward returns
    turn: str = ""  # what the port's loader does to the target


ONE_HOT, BINARY = "np.eye({classes}, dtype='float32')[{labels}]", "({labels}[:, None] == 0).astype('float32')"
COUNTS = "{labels}[:, None].astype('float32')"
LOGITS = "from_logits=True"
CLIPPED = "clip(out / out.sum(dim=1, keepdim=True)).log()"


def objectives(rows: Rows, setting: Setting) -> list[Objective]:
    """Returns what may be learned from a data set.

    From probabilities, Keras on JAX computes a cross-entropy with a clip, and so does an honest port: by `clip`, which
    its file defines, with a derivative of a half at both ends, as JAX has it.
    """
    if not rows.labels:
        return regressions()
    sparse, categorical, binary = (f"{kind}Crossentropy" for kind in ("SparseCategorical", "Categorical", "Binary"))
    entropy, two = "F.cross_entropy(out, y)", "F.binary_cross_entropy_with_logits(out, y)"
    of_logits = [
        Objective("{labels}", f"keras.losses.{sparse}({LOGITS})", entropy),
        Objective(ONE_HOT, f"keras.losses.{categorical}({LOGITS})", entropy),
        Objective(ONE_HOT, f"keras.losses.{categorical}({LOGITS})", entropy, turn=".argmax(dim=1)"),
        Objective(
            ONE_HOT,
            f"keras.losses.{categorical}({LOGITS}, label_smoothing=0.125)",
            "F.cross_entropy(out, y, label_smoothing=0.125)",
        ),
        Objective(BINARY, f"keras.losses.{binary}({LOGITS})", two),
        Objective(BINARY, f"keras.losses.{binary}({LOGITS})", two.replace("out", "out[:, 0]"), turn="[:, 0]"),
    ]
    names = "'sparse_categorical_crossentropy'", "'categorical_crossentropy'", "'binary_crossentropy'"
    if setting.backend == "jax":
        softmax, p = ("softmax", "x.softmax(dim=1)"), "clip(out)"
        of_probabilities = [
            Objective("{labels}", names[0], f"F.nll_loss({CLIPPED}, y)", *softmax),
            Objective(ONE_HOT, names[1], f"-(y * {CLIPPED}).sum(dim=1).mean()", *softmax),
            Objective(
                BINARY, names[2], f"-(y * {p}.log() + (1 - y) * (1 - {p}).log()).mean()", "sigmoid", "torch.sigmoid(x)"
            ),
        ]
    else:
        of_probabilities = [
            Objective("{labels}", names[0], entropy, "softmax"),
            Objective("{labels}", names[0], "F.nll_loss(out, y)", "softmax", "F.log_softmax(x, dim=1)"),
            Objective(ONE_HOT, names[1], entropy, "softmax"),
            Objective(BINARY, names[2], two, "sigmoid"),
        ]
    return [*of_logits, *of_probabilities, *(regressions() if rows.values else [])]


def regressions() -> list[Objective]:
    """Returns the losses of numbers."""
    return [
        Objective("{values}", "'mse'", "F.mse_loss(out, y)"),
        Objective("{values}", "'mae'", "F.l1_loss(out, y)"),
        Objective("{values}", "keras.losses.Huber()", "F.huber_loss(out, y)"),
        Objective("{values}", "keras.losses.Huber(delta=0.5)", "F.huber_loss(out, y, delta=0.5)"),
    ]


def outputs_of(rows: Rows, objective: Objective) -> int:
    """Returns how many numbers the last layer predicts."""
    if objective.targets == "{values}":
        return rows.outputs
    return 1 if objective.targets in (BINARY, COUNTS) else rows.classes


def draw_layout(draw: Draw, rows: Rows) -> tuple[str, str]:
    """Draws how the port's loader lays out its inputs; returns what it does, and what the module does to that."""
    shape = rows.shape
    if len(shape) == 1:
        return "", ""
    first = (shape[-1], *shape[:-1])
    layouts = [
        ("", "x.movedim(-1, 1)"),
        (".movedim(-1, 1)", ""),
        (".flatten(1)", f"x.unflatten(1, {shape}).movedim(-1, 1)"),
        (".movedim(-1, 1).flatten(1)", f"x.unflatten(1, {first})"),
        *([("[..., 0]", "x[:, None]")] if shape[-1] == 1 else []),
    ]
    return draw.of(*layouts)
