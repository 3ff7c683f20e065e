"""`python -m parity render FOLDER`: writes a run's reports again, from `report.json` and the recordings."""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from mlp_spec import flags
from mlp_spec.support import command
from mlp_spec.support.errors import UserError


@dataclass(frozen=True)
class RenderFlags:
    """Which run."""

    folder: str
    """Folder of a parity run: it holds report.json, keras/ and lightning/."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    import tyro

    positional = Annotated[RenderFlags, tyro.conf.PositionalRequiredArgs]
    arguments = flags.parse(positional, "python -m parity render", "Makes a run's reports anew.", argv)
    return command.run(lambda: render(Path(arguments.folder)))


def render(folder: Path) -> None:
    """Writes and prints the reports of a run that has ended.

    Raises:
        UserError: the folder holds no report, or one of another schema.
    """
    from parity.report.write import publish

    report = read_report(folder)
    publish(report, read_records(folder / "keras"), read_records(folder / "lightning"), folder)


def read_report(folder: Path) -> dict:
    """Reads `report.json`.

    Raises:
        UserError: it is missing, damaged or of another schema.
    """
    from parity.report.build import SCHEMA

    path = folder / "report.json"
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
        schema = report["schema"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise UserError(f"{path} is not a report ({why}); give a parity run's folder") from error
    if schema != SCHEMA:
        raise UserError(f"{path} has schema {schema!r}; this version reads {SCHEMA}")
    return report


def read_records(folder: Path) -> dict:
    """Reads a side's records by part; one that is missing or damaged is left out, and said so in the reports."""
    from parity.protocol.recording import BadRecordingError
    from parity.protocol.task import REFERENCE_PARTS, read_record

    records = {}
    for part in REFERENCE_PARTS:
        with suppress(BadRecordingError):
            records[part] = read_record(folder, part)
    return records
