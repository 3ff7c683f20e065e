"""Renders the speed table and chart from the measurements of `benchmarks.bench`."""

from pathlib import Path

from benchmarks.bench import CONTENDERS
from mlp_spec.support.files import replacing

CHART = Path(__file__).parent / "speed.png"
# The project's targets: (ours, theirs, the largest ours / theirs for `small` and for `bigger`).
TARGETS = (
    ("default", "keras", 0.6, 0.8),
    ("compiled", "keras-100", 0.4, 0.6),
    ("compiled", "keras-jax", 0.9, 0.9),
    ("compiled", "plain", 0.4, 0.5),
    ("compiled", "by-hand", 2.0, None),
)


def render(measured: dict) -> str:
    """Renders the tables as Markdown."""
    machine, presets = measured["environment"], measured["presets"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    imports = measured["imports"]
    return "\n".join(
        [
            f"Full MNIST, seed {measured['seed']}, {machine['processor']}, {machine['cores']} cores, no GPU; "
            f"{packages}; {measured['created']}.",
            "Seconds an epoch (training and validation): the median of all epochs but the first of "
            f"{measured['rounds']} runs, the contenders taking turns, progress shown; in brackets the runs' own "
            "medians from least to most; × is the time as a multiple of our default path's.",
            "",
            "| | small | × | bigger | × |",
            "|---|---:|---:|---:|---:|",
            *(render_seconds(name, presets) for name in CONTENDERS if name in presets["small"]),
            "",
            "| ratio of medians | small | bar | bigger | bar |",
            "|---|---:|---:|---:|---:|",
            *(render_ratio(*target, presets) for target in TARGETS),
            "",
            "Seconds until training runs at that speed (imports, data, compiling, first steps; median), and the most "
            "memory of the process:",
            "",
            "| | small | bigger | peak, small | peak, bigger |",
            "|---|---:|---:|---:|---:|",
            *(render_start(name, presets) for name in CONTENDERS if name in presets["small"]),
            "",
            "Importing alone: "
            + ", ".join(f"{name} {cost['seconds']:.1f} s and {cost['mb']:.0f} MB" for name, cost in imports.items())
            + f". {render_compiling(presets)}",
            "",
            "![Seconds an epoch by contender, batch size and width](benchmarks/speed.png)",
        ]
    )


def render_seconds(name: str, presets: dict) -> str:
    """Renders a contender's seconds."""
    cells = []
    for contenders in presets.values():
        seconds, (low, high) = contenders[name]["median"], contenders[name]["interval"]
        cells += [f"{seconds:.3f} ({low:.3f}-{high:.3f})", f"{seconds / contenders['default']['median']:.2f}"]
    return f"| {CONTENDERS[name].title} | {' | '.join(cells)} |"


def render_ratio(ours: str, theirs: str, small: float, bigger: float | None, presets: dict) -> str:
    """Renders a ratio of two contenders and its target."""
    cells = []
    for preset, limit in (("small", small), ("bigger", bigger)):
        ratio = presets[preset][ours]["median"] / presets[preset][theirs]["median"]
        cells += [f"{ratio:.2f}", "-" if limit is None else f"{limit}"]
    titles = (CONTENDERS[name].title.replace("**", "") for name in (ours, theirs))
    return f"| {' / '.join(titles)} | {' | '.join(cells)} |"


def render_start(name: str, presets: dict) -> str:
    """Renders how long a contender takes to start, and its memory."""
    seconds = [f"{contenders[name]['to_full_speed']:.1f}" for contenders in presets.values()]
    memory = [f"{contenders[name]['peak_mb']:.0f} MB" for contenders in presets.values()]
    return f"| {CONTENDERS[name].title} | {' | '.join([*seconds, *memory])} |"


def render_compiling(presets: dict) -> str:
    """Renders how long compiling took, the first time and later."""
    parts = []
    for preset, contenders in presets.items():
        first, *later = contenders["compiled"]["compile_seconds"]
        again = f", {max(later):.1f} s at most when its code was found in the cache" if later else ""
        parts.append(f"`{preset}` {first:.1f} s{again}")
    return f"Compiling took {'; '.join(parts)}."


def draw(measured: dict, path: Path) -> None:
    """Draws the seconds of both presets, and of the sweeps over batch size and width."""
    from matplotlib.figure import Figure

    presets = measured["presets"]
    figure = Figure(figsize=(11, 8.5), layout="constrained")
    bars, lines = figure.subfigures(2, 1, height_ratios=(1, 1))
    names = sorted(presets["small"], key=lambda name: -presets["small"][name]["median"])
    colours = ["tab:blue" if CONTENDERS[name].title.startswith("**") else "0.7" for name in names]
    for axes, (preset, contenders) in zip(bars.subplots(1, 2, sharey=True), presets.items(), strict=True):
        seconds = [contenders[name]["median"] for name in names]
        patches = axes.barh(range(len(names)), seconds, color=colours)
        axes.bar_label(patches, labels=[f" {value:.2f} s" for value in seconds], fontsize=8)
        axes.set_yticks(range(len(names)), [plain_title(name) for name in names], fontsize=8)
        axes.set(title=f"{preset}: seconds an epoch", xlim=(0, max(seconds) * 1.2))
    sweeps = (("batch_sizes", "Batch size (25 neurons)"), ("widths", "Neurons of the hidden layer (batch 32)"))
    for axes, (key, label) in zip(lines.subplots(1, 2), sweeps, strict=True):
        values = measured[key]["values"]
        for name, seconds in measured[key]["seconds"].items():
            axes.plot(values, seconds, marker="o", markersize=4, label=plain_title(name))
        axes.set(xscale="log", yscale="log", xlabel=label, ylabel="Seconds an epoch", title="One hidden layer, SGD")
        axes.set_xticks(values, [f"{value:,}" for value in values], fontsize=8, rotation=30)
        axes.minorticks_off()
        axes.grid(alpha=0.25)
    handles, labels = axes.get_legend_handles_labels()
    lines.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=8)
    machine = measured["environment"]
    figure.suptitle(f"Full MNIST, {machine['processor']}, {machine['cores']} cores, {measured['created']}", fontsize=10)
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")


def plain_title(name: str) -> str:
    """Returns a contender's title without Markdown."""
    return CONTENDERS[name].title.replace("**", "").replace("`", "")
