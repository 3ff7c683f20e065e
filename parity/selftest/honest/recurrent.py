"""Recurrent layers of honest pairs: each as Keras has it, and as its port has it, channels first."""

from parity.selftest.honest.layers import Draw, Kind, Shape

# What each is called in the port, and where its last states are in what it returns: (layers, batch, units).
STATES = {"LSTM": "[1][0]", "GRU": "[1]", "SimpleRNN": "[1]"}
# What stands around both directions' outputs, side by side.
CHUNKS = ".chunk(2, dim={axis}))"
MERGES = {
    "concat": ("", ""),
    "sum": ("sum(", CHUNKS),
    "mul": ("torch.mul(*", CHUNKS),
    "ave": ("0.5 * sum(", CHUNKS),
}


def port_class(kind: str) -> str:
    """Returns the port's class of one of Keras's."""
    return f"Keras{kind.removeprefix('Simple')}"


def draw_options(draw: Draw, shape: Shape) -> dict:
    """Draws how many units a layer has, and whether it has biases, and a GRU two of them."""
    more = draw.of("", "", "use_bias=False")
    return {
        "units": draw.of(4, 6, 8),
        "more": f", {more}" * bool(more),
        "options": ", bias=False" * bool(more),
        "reset": draw.of("", "", ", reset_after=False"),
        "mask": "",
    }


def recurrent(kind: str, every_step: bool) -> Kind:
    """Returns a layer that gives its outputs of all steps, or the last one."""
    reset = "{reset}" * (kind == "GRU")
    call = "{layer}(x.mT{mask})"
    return Kind(
        (1,) if every_step else (),
        f"{kind}({{units}}{', return_sequences=True' * every_step}{{more}}{reset})",
        f"{port_class(kind)}({{channels}}, {{units}}, batch_first=True{{options}}{reset})",
        f"{call}[0].mT" if every_step else f"{call}{STATES[kind]}[-1]",
        draw_options,
        lambda shape, drawn: (*shape[:-1], drawn["units"]) if every_step else (drawn["units"],),
    )


def both_directions(every_step: bool) -> Kind:
    """Returns a layer in two directions, whose outputs are merged."""

    def options(draw: Draw, shape: Shape) -> dict:
        """Draws the layer's options."""
        kind, merge = draw.of(*STATES), draw.of(*MERGES)
        drawn = draw_options(draw, shape)
        before, after = MERGES[merge]
        ends = ("(", "[0]", ").mT") if every_step else ("torch.cat(list(", f"{STATES[kind]}), dim=1)", "")
        return drawn | {
            "kind": kind,
            "merge": merge,
            "class": port_class(kind),
            "reset": drawn["reset"] * (kind == "GRU"),
            "before": (ends[0] + before) if every_step else before + ends[0],
            "after": ends[1] + after.format(axis=2 if every_step else 1) + ends[2],
        }

    def shape_of(shape: Shape, drawn: dict) -> Shape:
        """Returns the output's shape."""
        units = drawn["units"] * (1 + (drawn["merge"] == "concat"))
        return (*shape[:-1], units) if every_step else (units,)

    return Kind(
        (1,) if every_step else (),
        f"Bidirectional(layers.{{kind}}({{units}}{', return_sequences=True' * every_step}{{more}}{{reset}}), "
        "merge_mode='{merge}')",
        "{class}({channels}, {units}, batch_first=True, bidirectional=True{options}{reset})",
        "{before}{layer}(x.mT{mask}){after}",
        options,
        shape_of,
    )


LAST = ("LSTM", "GRU", "SimpleRNN", "Bidirectional")
EVERY_STEP = tuple(f"{kind}, every step" for kind in LAST)
MASKED = ", mask=mask"  # what a port gives its recurrent layers behind a masked embedding
MASKS = {  # how a port finds the mask in its input, by the layer that makes Keras's
    "Embedding, masked": "mask = x != 0",
    "Masking": "mask = (x != 0).any(dim=1)",
}
RECURRENT = {
    **{f"{kind}, every step": recurrent(kind, True) for kind in STATES},
    **{kind: recurrent(kind, False) for kind in STATES},
    "Bidirectional, every step": both_directions(True),
    "Bidirectional": both_directions(False),
    "Embedding, masked": Kind(
        (),
        "Embedding({words}, {units}, mask_zero=True)",
        "nn.Embedding({words}, {units})",
        "{layer}(x).mT",
        lambda draw, shape: {"words": shape[-1], "units": draw.of(4, 6, 8)},
        lambda shape, drawn: (*shape[:-1], drawn["units"]),
    ),
    "Masking": Kind((1,), "Masking()", "", "x * mask[:, None]"),
    "GlobalAveragePooling1D, masked": Kind(
        (),
        "GlobalAveragePooling1D()",
        "",
        "(x * mask[:, None]).sum(dim=2) / mask.sum(dim=1, keepdim=True)",
        shape=lambda shape, _: shape[-1:],
    ),
    "TimeDistributed": Kind(
        (1,),
        "TimeDistributed(layers.Dense({units}, activation='tanh'{initializer}))",
        "nn.Linear({channels}, {units})",
        "torch.tanh({layer}(x.mT)).mT",
        lambda draw, shape: {"units": draw.of(4, 6, 8)},
        lambda shape, drawn: (*shape[:-1], drawn["units"]),
    ),
}
