"""Recurrent layers of honest pairs that do more: drop inside, hand states on, lie on one another, keep both directions.

A class in each pair file drops states, as no layer of PyTorch does.
"""

from dataclasses import replace

from parity.selftest.honest.layers import Draw, Kind, Shape
from parity.selftest.honest.recurrent import MERGES, RECURRENT, STATES, draw_options, port_class

DROPPING_LSTM = """
    class DroppingLSTM(KerasLSTM):
        def __init__(self, *arguments, rate, **options):
            super().__init__(*arguments, **options)
            self.rate, self.is_native = rate, False

        def run(self, x, *arguments):  # one mask for all steps of a row, of each gate
            self.kept = [F.dropout(x.new_ones(len(x), self.hidden_size), self.rate, self.training) for _ in range(4)]
            return super().run(x, *arguments)

        def step(self, projected, states, recurrent, bias):
            h, c = states
            gates = [F.linear(h * kept, kernel) for kept, kernel in zip(self.kept, recurrent.chunk(4))]
            i, f, g, o = (projected + torch.cat(gates, dim=1)).chunk(4, dim=1)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            return o.sigmoid() * c.tanh(), c
"""
DROPPING_GRU = """
    class DroppingGRU(KerasGRU):
        def __init__(self, *arguments, rate, **options):
            super().__init__(*arguments, **options)
            self.rate, self.is_native = rate, False

        def run(self, x, *arguments):  # one mask for all steps of a row, of each gate
            self.kept = [F.dropout(x.new_ones(len(x), self.hidden_size), self.rate, self.training) for _ in range(3)]
            return super().run(x, *arguments)

        def step(self, projected, states, recurrent, bias):
            h, (x_r, x_z, x_n) = states[0], projected.chunk(3, dim=1)
            u_r, u_z, u_n = recurrent.chunk(3)
            b_r, b_z, b_n = (None, None, None) if bias is None else bias.chunk(3)
            kept_r, kept_z, kept_n = self.kept
            r = (x_r + F.linear(h * kept_r, u_r, b_r)).sigmoid()
            z = (x_z + F.linear(h * kept_z, u_z, b_z)).sigmoid()
            if self.reset_after:
                n = (x_n + r * F.linear(h * kept_n, u_n, b_n)).tanh()
            else:
                n = (x_n + F.linear(r * h * kept_n, u_n, b_n)).tanh()
            return (z * h + (1 - z) * n,)
"""
KEPT = "F.dropout(x.new_ones(len(x), {channels}, 1), {rate}, self.training) * "  # of the inputs: one mask for all steps
JOINS = {  # of two directions: Keras's layer, and what a port does with (batch, steps, 2 units), or of the last step
    "Concatenate": MERGES["concat"],
    "Add": MERGES["sum"],
    "Multiply": MERGES["mul"],
    "Average": MERGES["ave"],
    "Maximum": ("torch.maximum(*", MERGES["mul"][1]),
}


def dropping(kind: str, every_step: bool) -> Kind:
    """Returns a layer that drops its inputs, with one mask for all steps."""
    entry = RECURRENT[f"{kind}, every step" if every_step else kind]
    return replace(
        entry,
        keras=entry.keras[:-1] + ", dropout={rate})",
        forward=entry.forward.replace("(x.mT", f"(({KEPT}x).mT"),
        options=lambda draw, shape: {**draw_options(draw, shape), "rate": draw.of(0.1, 0.25)},
    )


def dropping_states(kind: str, every_step: bool) -> Kind:
    """Returns a layer with gates that drops its states, with one mask for all steps and each gate."""
    entry = RECURRENT[f"{kind}, every step" if every_step else kind]
    return replace(
        entry,
        keras=entry.keras[:-1] + ", recurrent_dropout={rate})",
        torch=entry.torch.replace("Keras", "Dropping")[:-1] + ", rate={rate})",
        options=lambda draw, shape: {**draw_options(draw, shape), "rate": draw.of(0.1, 0.25)},
        helper={"LSTM": DROPPING_LSTM, "GRU": DROPPING_GRU}[kind],
    )


def stacked(every_step: bool) -> Kind:
    """Returns two layers of Keras's, in one direction or in two, which are one module in PyTorch."""

    def options(draw: Draw, shape: Shape) -> dict:
        """Draws the layer's options; without biases PyTorch's own class does, and a GRU's has as many as Keras's."""
        drawn, kind, is_both = draw_options(draw, shape), draw.of(*STATES), draw.chance(0.4)
        rate = draw.of(0.0, 0.0, 0.25)
        reset = drawn["reset"] * (kind == "GRU")
        is_own = not reset and (kind == "GRU" or bool(drawn["more"])) and draw.chance(0.7)
        inner = f"layers.{kind}({drawn['units']}, return_sequences=True{drawn['more']}{reset})"
        first = f"layers.Bidirectional({inner})" if is_both else inner
        last = inner if every_step else inner.replace(", return_sequences=True", "")
        return drawn | {
            "reset": reset,
            "keras": f"Bidirectional({last})" if is_both else last.removeprefix("layers."),
            "first": f"layers.Dropout({rate})({first}(x))" if rate else f"{first}(x)",
            "own": "nn." if is_own else "Keras",
            "name": kind.removeprefix("Simple"),
            "made": drawn["units"] * (1 + is_both),
            "more": ", bidirectional=True" * is_both + f", dropout={rate}" * bool(rate),
            "before": "" if every_step else "torch.cat(list(" * is_both,
            "after": "[0].mT" if every_step else STATES[kind] + ("[-2:]), dim=1)" if is_both else "[-1]"),
        }

    return Kind(
        (1,) if every_step else (),
        "{keras}",
        "{own}{name}({channels}, {units}, num_layers=2, batch_first=True{more}{options}{reset})",
        "{before}{layer}(x.mT{mask}){after}",
        options,
        lambda shape, drawn: (*shape[:-1], drawn["made"]) if every_step else (drawn["made"],),
        call="x = {layer}({first})",
    )


def apart(every_step: bool) -> Kind:
    """Returns a layer in two directions whose outputs come out apart, and are joined by a layer of its own."""
    entry = RECURRENT["Bidirectional, every step" if every_step else "Bidirectional"]

    def options(draw: Draw, shape: Shape) -> dict:
        """Draws the layer's options."""
        drawn, join = entry.options(draw, shape), draw.of(*JOINS)
        before, after = JOINS[join]
        ends = ("(", "[0]", ").mT") if every_step else ("torch.cat(list(", f"{STATES[drawn['kind']]}), dim=1)", "")
        return drawn | {
            "merge": "concat" if join == "Concatenate" else join,
            "join": join,
            "before": (ends[0] + before) if every_step else before + ends[0],
            "after": ends[1] + after.format(axis=2 if every_step else 1) + ends[2],
        }

    return replace(
        entry,
        keras=entry.keras.replace("'{merge}'", "None"),
        options=options,
        call="x = layers.{join}()({layer}(x))",
    )


def handed_on() -> dict[str, Kind]:
    """Returns the layer whose last states are handed on, and the one that starts from them, over the same steps."""
    port = "{class}({channels}, {units}, batch_first=True{both}{options}{reset})"

    first = Kind((), "{first}", port, "{layer}(x.mT{mask})", call="_, *states = {layer}(x)", target="_, states")
    second = Kind(
        (),
        "{second}",
        port,
        "{layer}(x.mT, states)[0].mT",  # Keras leaves the mask out where a layer is given states
        shape=lambda shape, drawn: (*shape[:-1], drawn["made"]),
        call="x = {layer}(x, initial_state=states)",
    )
    return {"States": first, "From states": second}


def draw_handed(draw: Draw, shape: Shape) -> dict:
    """Draws the options of two layers of a kind and a size, of which one starts from the other's last states."""
    drawn, kind, is_both = draw_options(draw, shape), draw.of(*STATES), draw.chance(0.3)
    reset = drawn["reset"] * (kind == "GRU")
    first, second = (
        f"{kind}({drawn['units']}, return_{what}=True{drawn['more']}{reset})" for what in ("state", "sequences")
    )
    return drawn | {
        "reset": reset,
        "class": port_class(kind),
        "both": ", bidirectional=True" * is_both,
        "made": drawn["units"] * (1 + is_both),
        "first": f"Bidirectional(layers.{first})" if is_both else first,
        "second": f"Bidirectional(layers.{second})" if is_both else second,
    }


DROPPED = {
    **{f"{kind}, dropping": dropping(kind, False) for kind in STATES},
    **{f"{kind}, dropping, every step": dropping(kind, True) for kind in STATES},
    **{f"{kind}, dropping states": dropping_states(kind, False) for kind in ("LSTM", "GRU")},
    **{f"{kind}, dropping states, every step": dropping_states(kind, True) for kind in ("LSTM", "GRU")},
}
APART = {"Bidirectional, apart": apart(False), "Bidirectional, apart, every step": apart(True)}
STACKED = {"Stacked": stacked(False), "Stacked, every step": stacked(True)}
HANDED = handed_on()
FURTHER = {**DROPPED, **APART, **STACKED, **HANDED}
FURTHER_EVERY_STEP = tuple(kind for kind in {**DROPPED, **APART, **STACKED} if kind.endswith("every step"))
FURTHER_LAST = tuple(kind for kind in {**DROPPED, **APART, **STACKED} if not kind.endswith("every step"))
