"""Traps in the forward pass."""

from functools import partial

from parity.traps.catalogue.trap import Trap

precision_trap = partial(
    Trap,
    keras="float32: 24 bits of mantissa",
    inputs="A product with the identity matrix: exact, if nothing is rounded.",
    columns=("x = 1.1", "x = 2.4", "x = 3.6"),
    keras_code="""x = ops.array([1.1, 2.4, 3.6])
    ops.matmul(ops.eye(3), x)""",
    keras_numbers=(1.1, 2.4, 3.6),
    digits=6,
)

TRAPS = [
    precision_trap(
        id="bfloat16",
        title="Products in bfloat16",
        what="""`precision="bf16-mixed"`, or an `autocast` somewhere, rounds what enters every matrix product to 8
            bits of mantissa. Training goes on well, and no result has more than two or three right digits. Remedy:
            `precision="32-true"`, Lightning's default.""",
        port="8 bits",
        shows="""`probabilities` fails: the gap has the size of a rounding to 8 bits, on every case and without a
            pattern.""",
        port_code="""x = torch.tensor([1.1, 2.4, 3.6])
        with torch.autocast("cpu", dtype=torch.bfloat16):
            y = torch.eye(3) @ x
        y""",
        port_numbers=(1.10156, 2.40625, 3.59375),
    ),
    precision_trap(
        id="float16-or-tf32",
        title="Products in float16 or TF32",
        what="""`precision="16-mixed"`, or `torch.set_float32_matmul_precision("high")` on a GPU, rounds what enters
            every product to 11 bits of mantissa. Three to four digits remain, which no curve shows. Remedy: neither,
            where numbers are compared.""",
        port="11 bits",
        shows="""`probabilities` fails: the gap has the size of a rounding to 11 bits, on every case and without a
            pattern.""",
        port_code="""x = torch.tensor([1.1, 2.4, 3.6])
        torch.eye(3).half() @ x.half()""",
        port_numbers=(1.09961, 2.40039, 3.59961),
    ),
]
