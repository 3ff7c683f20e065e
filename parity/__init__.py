"""Starts one process a framework, compares what they record, decides and reports."""


def convert(
    source: str,
    target: str,
    pair: str | None = None,
    weights_only: bool = False,
    precision: str = "float32",
    stall_timeout: float = 300.0,
):
    """Turns a `.keras` file into a Lightning checkpoint, or back, as `python -m parity convert` does.

    Args:
        source: the file that is read.
        target: the file that is written; it must not exist yet.
        pair: the pair file whose models both are of; without it, the lab's.
        weights_only: whether the optimizer's state is left behind.
        precision: of the pair's weights, `float32` or `float64`.
        stall_timeout: seconds after which a silent process is stopped.

    Returns:
        a `parity.conversion.convert.Conversion`: what both files hold, and the checks. Unless all have passed
        (`is_same`), nothing was written.

    Raises:
        UserError: a file or the pair file cannot be used.
    """
    from parity.conversion import convert as conversion
    from parity.conversion.command import ConvertFlags

    flags = {"weights_only": weights_only, "precision": precision, "stall_timeout": stall_timeout}
    return conversion.convert(ConvertFlags(str(source), str(target), None if pair is None else str(pair), **flags))
