"""Draws the four curves as a picture, both frameworks overlaid."""

from pathlib import Path

from mlp_spec.support.files import replacing


def draw(report: dict, path: str | Path) -> None:
    """Draws loss and accuracy, training and validation, of both frameworks."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    experiment = report["experiment"]
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    figure.suptitle(
        f"{experiment['name']} on {experiment['data']['dataset']}, "
        f"seed {experiment['training']['seed']}: Keras and Lightning"
    )
    for axes, kind, label in zip(figure.subplots(1, 2), ("loss", "acc"), ("Loss", "Accuracy"), strict=True):
        for name, colour in ((kind, "tab:orange"), (f"val_{kind}", "tab:blue")):
            for side, style in (("keras", {"lw": 5, "alpha": 0.3}), ("lightning", {"lw": 1.5, "ls": "--"})):
                curve = report["sides"][side]["history"][name]
                axes.plot(range(1, len(curve) + 1), curve, color=colour, label=f"{name}, {side}", **style)
        axes.set(xlabel="Epoch", ylabel=label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.25)
        axes.legend(fontsize=8)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
