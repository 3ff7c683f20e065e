"""Attention of honest pairs: heads, scores by products, by sums and with a scale, over one sequence or two."""

import math
from dataclasses import replace

from parity.selftest.honest.layers import Draw, Kind, Shape

# What a port gives its attention behind a mask: both the query and the value have it.
HEADS_MASKED = ", attention_mask=mask[:, None] & mask[..., None]"
CAUSAL = ", use_causal_mask=True"
HIDDEN = ", attn_mask=torch.ones({steps}, {steps}, dtype=torch.bool).triu(1)"  # nn.MultiheadAttention hides there
SCORES = """
    class Attention(nn.Module):  # Keras's Attention and AdditiveAttention
        def __init__(self, scale=None, mode="dot", dropout=0.0):
            super().__init__()
            self.scale = None if scale is None else nn.Parameter(scale)
            if mode == "concat":
                self.concat_score_weight = nn.Parameter(torch.ones(()))
            self.mode, self.dropout = mode, dropout

        def score(self, query, key):
            scale = 1 if self.scale is None else self.scale
            if self.mode == "dot":
                return (query @ key.mT) * scale
            sums = query[:, :, None] + key[:, None]
            if self.mode == "concat":
                return self.concat_score_weight * torch.tanh(scale * sums).sum(dim=-1)
            return (scale * torch.tanh(sums)).sum(dim=-1)

        def forward(self, query, value, mask=None, use_causal_mask=False):
            scores = self.score(query, value)
            seen = torch.ones_like(scores, dtype=torch.bool)
            seen = seen.tril() if use_causal_mask else seen
            seen = seen if mask is None else seen & mask[:, None]
            weights = torch.where(seen, scores, scores - 1e9).softmax(dim=-1)
            out = F.dropout(weights, self.dropout, self.training) @ value
            return out if mask is None else torch.where(mask[..., None], out, 0)
"""


def draw_heads(draw: Draw, shape: Shape) -> dict:
    """Draws the options of an attention of several heads, each of a size of its own."""
    heads, size, value = draw.of(1, 2, 3), draw.of(*exact_sizes(draw, 2, 4, 5)), draw.of(0, 0, 3)
    if draw.setting.backend == "jax":  # Keras 3.15 hands values of another size to a function that takes none
        value = 0
    bias, rate, output = draw.chance(0.8), draw.of(0.0, 0.0, 0.25), draw.of(0, 0, 0, 6)
    return {
        "heads": heads,
        "size": size,
        "made": output or shape[-1],
        "more": f", value_dim={value}" * bool(value)
        + f", dropout={rate}" * bool(rate)
        + ", use_bias=False" * (not bias),
        "output": f", output_shape={output}" * bool(output),
        "output_size": f", output_size={output}" * bool(output),
        "causal": CAUSAL * draw.chance(0.4),
        "mask": "",
    }


def draw_whole_heads(draw: Draw, shape: Shape) -> dict | None:
    """Draws the options of PyTorch's attention, whose heads share the features; None where these are few."""
    fitting = [number for number in (1, 2, 4) if shape[-1] % number == 0]
    sizes = exact_sizes(draw, *(shape[-1] // number for number in fitting))
    if not sizes:
        return None
    heads = shape[-1] // draw.of(*sizes)
    rate, is_causal = draw.of(0.0, 0.0, 0.25), draw.chance(0.4)
    return {
        "heads": heads,
        "size": shape[-1] // heads,
        "rate": rate,
        "causal": CAUSAL * is_causal,
        "hidden": HIDDEN.format(steps=shape[0]) * is_causal,
        "scores": draw.of("", ", need_weights=False"),
    } if shape[-1] > 1 else None  # fmt: skip


def exact_sizes(draw: Draw, *sizes: int) -> list[int]:
    """Returns the sizes of a head that can be exact: in float64, TensorFlow rounds 1 / sqrt(size) to float32."""
    is_rounded = draw.setting.precision == "float64"
    return [size for size in sizes if not is_rounded or math.log(size, 4).is_integer()]


def draw_scores(draw: Draw, shape: Shape) -> dict:
    """Draws the options of an attention without projections."""
    rate, scale, mode = draw.of(0.0, 0.0, 0.25), draw.chance(0.6), draw.of("dot", "dot", "concat")
    more = [f"dropout={rate}"] * bool(rate)
    of_mode = [f"mode='{mode}'"] * (mode != "dot")
    return {
        "keras": ", ".join([*more, *["use_scale=True"] * scale, *(f"score_{one}" for one in of_mode)]),
        "torch": ", ".join([*["torch.ones(())"] * scale, *of_mode, *more]),
        "weights": " ".join(["scale"] * scale + ["concat_score_weight"] * bool(of_mode)),
        "causal": CAUSAL * draw.chance(0.4),
        "mask": "",
    }


def draw_sums(draw: Draw, shape: Shape) -> dict:
    """Draws the options of an additive attention, whose scale starts by Glorot's law."""
    rate, scale = draw.of(0.0, 0.0, 0.25), draw.chance(0.8)
    more = [f"dropout={rate}"] * bool(rate)
    limit = (3 / shape[-1]) ** 0.5
    start = f"nn.init.uniform_(torch.empty({shape[-1]}), -{limit}, {limit})"
    return {
        "keras": ", ".join([*more, *["use_scale=False"] * (not scale)]),
        "torch": ", ".join([*[start] * scale, "mode='sums'", *more]),
        "weights": "scale" * scale,
        "causal": CAUSAL * draw.chance(0.4),
        "mask": "",
    }


HEADS = Kind(
    (1,),
    "MultiHeadAttention({heads}, {size}{more}{output})",
    "KerasMultiHeadAttention({channels}, {heads}, {size}{more}{output_size})",
    "{layer}(x.mT, x.mT{causal}{mask}).mT",
    draw_heads,
    lambda shape, drawn: (*shape[:-1], drawn["made"]),
    call="x = {layer}(x, x{causal})",
)
ATTENTION = {
    "MultiHeadAttention": HEADS,
    "MultiHeadAttention, of another sequence": replace(
        HEADS,
        axes=(),
        torch="KerasMultiHeadAttention({channels}, {heads}, {size}{more}, value_inputs={others}{output_size})",
        forward="{layer}(x.mT, skip.mT{causal}{mask}).mT",
        call="x = {layer}(x, skip{causal})",
    ),
    "MultiHeadAttention, PyTorch's": Kind(
        (1,),
        "MultiHeadAttention({heads}, {size}, dropout={rate})",
        "nn.MultiheadAttention({channels}, {heads}, dropout={rate}, batch_first=True)",
        "{layer}(x.mT, x.mT, x.mT{hidden}{scores})[0].mT",
        draw_whole_heads,
        call="x = {layer}(x, x{causal})",
    ),
    **{
        f"{name}Attention": Kind(
            (1,),
            f"{name}Attention({{keras}})",
            "Attention({torch})",
            "{layer}(x.mT, x.mT{mask}{causal}).mT",
            options,
            call="x = {layer}([x, x]{causal})",
            weights="{weights}",
            helper=SCORES,
        )
        for name, options in (("", draw_scores), ("Additive", draw_sums))
    },
}
SELF_ATTENTION = tuple(kind for kind in ATTENTION if "another" not in kind)
MASKED_ATTENTION = tuple(kind for kind in SELF_ATTENTION if "PyTorch" not in kind)


def mask_of(kind: str, otherwise: str) -> str:
    """Returns what a port gives a layer behind a mask.

    Args:
        kind: of the layer.
        otherwise: what it gives layers that are no attention of several heads.
    """
    return HEADS_MASKED if kind.startswith("MultiHead") else otherwise
