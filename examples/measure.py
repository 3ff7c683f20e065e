"""Measures the examples and writes what their READMEs show: `python -m examples.measure`.

Every pair is checked by the command that users run. All numbers are those of its report.json; they are kept in each
example's `measured.json`.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from benchmarks.measure import load
from benchmarks.tables import insert_tables
from mlp_spec import flags
from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from mlp_spec.support.files import write_json, write_text
from mlp_spec.support.values import one_of

HERE = Path(__file__).parent
# Each example, and the numbers of an epoch that say something about its model.
EXAMPLES = {
    "digits_cnn": ("val_loss", "val_acc"),
    "digits_batch_norm": ("val_loss", "val_acc"),
    "digits_lstm": ("val_loss", "val_acc"),
    "lines_gru": ("val_loss", "val_acc"),
    "diabetes": ("val_loss",),
    "wine_two_inputs": ("val_loss", "val_acc"),
}
PORTS = {"first": "fail", "right": "pass"}  # and the verdict that each must have
MARKS = ("<!-- measured: start (written by `python -m examples.measure`) -->", "<!-- measured: end -->")
FIELDS = ("id", "status", "measured", "limit", "noise_floor", "largest", "largest_ratio_to_floor", "detail")


@dataclass(frozen=True)
class MeasureFlags:
    """What to measure."""

    only: tuple[str, ...] = ()
    """Some of the examples; all unless given."""
    level: Literal["quick", "full"] = "full"
    """Of the ladder, as for `python -m parity check`."""
    output_dir: str | None = None
    """Folder of the reports, new or empty; runs/<time>-examples unless given."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns 0 if every right port has parity and no first port has, else 1."""
    options = flags.parse(MeasureFlags, "python -m examples.measure", "Measures the examples.", argv)
    return command.run(lambda: measure(options))


def measure(options: MeasureFlags) -> int:
    """Checks the pairs and writes the tables; returns the exit status."""
    from mlp_spec.runs.folder import RunFolder

    for name in options.only:
        one_of("only", name, list(EXAMPLES))
    folder = RunFolder.create(options.output_dir, "examples").path
    unexpected = []
    for name in options.only or EXAMPLES:
        reports = {port: check(name, port, options.level, folder / f"{name}-{port}") for port in PORTS}
        measured = summarize(reports)
        write_json(HERE / name / "measured.json", measured)
        readme = HERE / name / "README.md"
        write_text(readme, insert_tables(readme.read_text(encoding="utf-8"), render(name, measured), MARKS))
        print(f"Written: {readme}")
        unexpected += [f"{name}/pair_{port}.py" for port in PORTS if reports[port]["verdict"] != PORTS[port]]
    print(f"Reports: {folder}")
    if unexpected:
        print(f"Not the verdict that was expected: {', '.join(unexpected)}")
    return int(bool(unexpected))


def check(name: str, port: str, level: str, folder: Path) -> dict:
    """Runs the check command on a pair file; returns its report.

    Raises:
        UserError: the check could not run.
    """
    arguments = [str(HERE / name / f"pair_{port}.py"), "--level", level, "--output-dir", str(folder)]
    print(f"\n$ python -m parity check {' '.join(arguments)}", flush=True)
    status = subprocess.run([sys.executable, "-m", "parity", "check", *arguments], check=False).returncode
    if status not in (0, 1):
        raise UserError(f"the check of {name}/pair_{port}.py ended with exit status {status}; nothing was written")
    return load(folder / "report.json")


def summarize(reports: dict[str, dict]) -> dict:
    """Returns what is kept of the reports of an example's ports, by port."""
    first = reports["first"]
    machine = {key: first["environment"][key] for key in ("processor", "cores", "packages", "keras_backend")}
    return {
        "created": first["created"][:10],
        "environment": machine,
        "level": first["level"],
        "training": first["experiment"]["training"],
        "ports": {
            port: {
                "verdict": report["verdict"],
                "history": {side: (facts or {}).get("history", {}) for side, facts in report["sides"].items()},
                "checks": [{key: one[key] for key in FIELDS if key in one} for one in report["checks"]],
            }
            for port, report in reports.items()
        },
    }


def render(name: str, measured: dict) -> str:
    """Renders an example's tables as Markdown."""
    machine, training = measured["environment"], measured["training"]
    kept = ("keras", machine["keras_backend"], "lightning", "torch", "numpy")
    packages = ", ".join(f"{key} {machine['packages'][key]}" for key in dict.fromkeys(kept))
    how = f"{measured['level']} level, {training['precision']}, seed {training['seed']}, {training['epochs']} epochs."
    first, right = (measured["ports"][port] for port in PORTS)
    return "\n".join(
        [
            f"{machine['processor']}, {machine['cores']} cores; {packages}; {measured['created']};",
            how,
            "",
            f"**The first port: {describe_verdict(first)}.**",
            "",
            *render_failures(first["checks"]),
            "",
            f"**The right port: {describe_verdict(right)}.**",
            "",
            *render_floors(right["checks"]),
            "",
            *render_results(name, right["history"]),
        ]
    )


def describe_verdict(port: dict) -> str:
    """Says a port's verdict in words, and how many checks it rests on."""
    decided = [one for one in port["checks"] if one["status"] in ("pass", "fail")]
    failed = sum(one["status"] == "fail" for one in decided)
    if failed:
        return f"no parity, {failed} of {len(decided)} checks failed"
    words = {"pass": "parity", "could-not-run": "could not be decided"}[port["verdict"]]
    return f"{words}, {len(decided)} of {len(decided)} checks passed"


def render_failures(checks: list[dict]) -> list[str]:
    """Renders the checks that failed, by how much, and where."""
    rows = [
        f"| `{one['id']}` | {number(one['measured'])} | {number(one['limit'])} | {one['detail'].rpartition('; ')[2]} |"
        for one in checks
        if one["status"] == "fail"
    ]
    return ["| failed check | measured | limit | where |", "|---|---:|---:|---|", *rows]


def render_floors(checks: list[dict]) -> list[str]:
    """Renders how many noise floors apart a port is in every check that has one, and the largest number of them."""
    floors = {one["id"]: one for one in checks if noise_floors(one) is not None}
    rows = [
        f"| `{name}` | {number(one['measured'])} | {number(one['noise_floor'])} | {noise_floors(one):.2g} |"
        for name, one in floors.items()
    ]
    worst = max(map(noise_floors, floors.values()), default=0.0)
    return [
        f"At most {worst:.2g} noise floors apart; 10 are the limit.",
        "",
        "| check | measured | noise floor | floors |",
        "|---|---:|---:|---:|",
        *rows,
    ]


def noise_floors(one: dict) -> float | None:
    """Returns how many noise floors the two sides of a check are apart; None where there is no floor."""
    if "largest_ratio_to_floor" in one:
        return one["largest_ratio_to_floor"]
    if not one["noise_floor"] or not isinstance(one["measured"], int | float):
        return None
    return one["measured"] / one["noise_floor"]


def render_results(name: str, history: dict[str, dict]) -> list[str]:
    """Renders what each side reached after the last epoch, as far as the report holds it."""
    reached = {
        side: [f"{key} {values[key][-1]:.4f}" for key in EXAMPLES[name] if values.get(key)]
        for side, values in history.items()
    }
    texts = [f"{side.capitalize()} {', '.join(numbers)}" for side, numbers in reached.items() if numbers]
    return [f"After the last epoch: {'; '.join(texts)}."] if texts else []


def number(value) -> str:
    """Returns a measured value or limit with three digits."""
    return f"{value:.3g}" if isinstance(value, int | float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
