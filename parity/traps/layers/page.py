"""Renders `docs/layers.md`, a pure function of the table of layouts and the catalogue of differences."""

import re

from parity.protocol.tensors import BIAS, LAYERS, Tensor
from parity.traps.layers.catalogue import DIFFERENCES, FAMILIES, OF_FAMILY, Difference
from parity.traps.layers.difference import MODES
from parity.traps.layers.layouts import AXES, describe_in_torch, gates_of, in_brackets, table_of
from parity.traps.layers.partners import CHANCE, KERAS_LIKE, POOLINGS, torch_classes

SEVERAL = ("Bidirectional",)  # layers that are several others
FIRST_BIAS = "bias_ih"
HEAD = """\
# Keras's layers beside PyTorch's

Which class of PyTorch stands for which layer of Keras, how the weights of both lie, and in what the two compute
different numbers although nothing looks wrong: {count} differences, each with what is first written, what computes the
same, and how much it matters. The page is made from the tables by which the tool itself matches layers and moves
weights (`parity/protocol/tensors.py`) and from `parity/traps/layers/catalogue/`, by `python -m parity layers`.

Every number is measured in both frameworks, Keras on TensorFlow, in float32 on the CPU. The catalogue keeps it with two
digits; a test, and `python -m parity layers --check`, measures it again and compares. Both sides get the same input,
and the same weights, moved by the table of layouts: where a line computes the same, that table holds for its layer.

## Which layer is which

The tool looks for a layer among modules of these classes and of classes made from them. `keras_like` has classes with
Keras's semantics and initial weights; where it has none, PyTorch's own do, with other arguments.

"""
LAYOUTS = """\
## How weights lie

Axes as either framework has them. `a*b` is one axis, along which b changes faster than a; a number is as many blocks.
Biases are those that a layer has.

"""
AFTERWARDS = """\
PyTorch calls the LSTM's c g, and the GRU's h n. In one recurrent module, names end in the number of the layer, `_l0`,
`_l1` and so on, and in `_reverse` for the backward direction of a Bidirectional. `nn.MultiheadAttention` holds query,
key and value in the rows of `in_proj_weight`, one after the other; its heads are of the size inputs / heads, Keras's of
any. Where else a tensor is, `WEIGHTS` in a pair file says.

"""
CONTENTS = """\
## What differs

Sizes are the largest distance between what Keras and the first port give, beside Keras's largest number. `x` is the
input as Keras takes it: `draw` draws from the standard normal law. `with_gates` puts blocks of weights in another
order.

"""


def render() -> str:
    """Renders the page as Markdown."""
    parts = [HEAD.format(count=len(DIFFERENCES)), render_partners(), LAYOUTS, render_layouts(), AFTERWARDS]
    parts += [CONTENTS, render_contents()]
    for family, title in FAMILIES.items():
        parts += [f"## {title}\n\n", "\n".join(map(render_difference, OF_FAMILY[family])), "\n"]
    return "".join(parts).rstrip("\n") + "\n"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Renders a table."""
    lines = [head, ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) + "\n"


def render_partners() -> str:
    """Renders which class stands for which layer: layers with weights, poolings, and what draws."""
    names = {"EinsumDense": "MultiHeadAttention (each projection an EinsumDense)"}
    rows = [(names.get(kind, kind), torch_classes(kind), as_code(KERAS_LIKE.get(kind, ()))) for kind in LAYERS]
    rows += [(kind, torch, as_code([name])) for kind, (torch, name) in POOLINGS.items()]
    rows += [(kind, torch, "") for kind, torch in CHANCE.items()]
    return table(("Keras", "PyTorch", "`keras_like`"), rows)


def as_code(names) -> str:
    """Writes names as code, each once."""
    return ", ".join(f"`{name}`" for name in dict.fromkeys(names))


def render_layouts() -> str:
    """Renders how tensors lie in both frameworks; those of a layer that lie alike share a row, and so do layers."""
    kinds: dict[tuple[str, ...], list[str]] = {}
    for kind, axes in AXES.items():
        alike: dict[tuple[str, ...], list[Tensor]] = {}
        for tensor in table_of(kind) if kind not in SEVERAL else []:
            names = axes[role_path(tensor)]
            ours = in_brackets(names.split())
            alike.setdefault((ours, describe_in_torch(tensor, names), beside(tensor)), []).append(tensor)
        for (ours, theirs, more), tensors in alike.items():
            in_torch = as_code(LAYERS[tensor.kind][1][tensor.role][0] for tensor in tensors)
            row = (as_code(map(role_path, tensors)), f"`{ours}`", in_torch, f"`{theirs}`", more)
            kinds.setdefault(row, []).append(kind)
    rows = [("; ".join(names), *row) for row, names in kinds.items()]
    return table(("layer", "in Keras", "axes", "in PyTorch", "axes", "besides"), rows)


def role_path(tensor: Tensor) -> str:
    """Returns a tensor's path in its layer, such as `kernel` or `query/kernel`."""
    return tensor.path.partition("/")[2]


def beside(tensor: Tensor) -> str:
    """Says what else there is to know about a tensor: gates and second biases."""
    ours, theirs = gates_of(tensor)
    said = [f"blocks {ours} in {f'Keras, {theirs} in PyTorch' if ours != theirs else 'both'}"] if ours else []
    if tensor.role == BIAS and LAYERS[tensor.kind][1][BIAS][0] == FIRST_BIAS:
        said.append(f"its rows are `{FIRST_BIAS}` and `bias_hh`" if tensor.is_split else "`bias_hh` stays 0")
    return "; ".join(said)


def render_contents() -> str:
    """Renders the table of contents: a line for each difference."""
    rows = []
    for entry in DIFFERENCES.values():
        link, numbers = f"[{entry.title}](#{entry.id})", (f"{entry.size:g}", f"{entry.largest:g}")
        rows.append((link, "; ".join(entry.kinds), *numbers, remedy(entry)))
    return table(("difference", "in Keras", "size", "Keras's largest", "the same is"), rows)


def remedy(entry: Difference) -> str:
    """Names what computes what Keras does: a class or function of keras_like, or PyTorch's own."""
    names = re.findall(r"Keras\w+|glorot_uniform_|random_uniform_", entry.shown.get("right", ""))
    return f"`{names[0]}`" if names else "PyTorch's own, written otherwise" if entry.right else "nothing"


def render_difference(entry: Difference) -> str:
    """Renders a difference; its heading is its id, so that `layers.md#id` leads there."""
    same = {"start": "starts alike", "chance": "the same law"}.get(entry.mode, "the same, but for rounding")
    lines = [
        "# Keras",
        entry.shown["keras"],
        f"# first written: differs by {entry.size:g}; Keras's largest number is {entry.largest:g}",
        entry.shown["port"],
        *([f"# {same}", entry.shown["right"]] if entry.right else ["# nothing in PyTorch computes the same"]),
    ]
    code = "\n".join(lines)
    not_undone = f"\n*Not undone by* `check`*:* {entry.not_undone}.\n" if entry.not_undone else ""
    return f"""\
### {entry.id}

**{entry.title}** ({"; ".join(entry.kinds)}). {entry.what}

```python
{code}
```

*Compared:* {entry.compared or MODES[entry.mode]}, for `x = {entry.x}`.
{not_undone}"""
