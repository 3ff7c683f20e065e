"""`python -m parity new my_pair.py`: writes a pair file that passes as it is, to be filled with one's own code."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from mlp_spec import flags
from mlp_spec.support import command
from mlp_spec.support.errors import UserError

PROG = "python -m parity new"
TEMPLATE = Path(__file__).with_name("template.py")


@dataclass(frozen=True)
class NewFlags:
    """The flags of the command."""

    file: str
    """Where to write the pair file; it must not exist yet."""


def main(argv: list[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    import tyro

    kind = Annotated[NewFlags, tyro.conf.PositionalRequiredArgs]
    options = flags.parse(kind, PROG, "Writes a pair file that passes as it is.", argv)
    return command.run(lambda: write(options.file))


def write(path: str) -> None:
    """Writes the template.

    Raises:
        UserError: the file exists, is no Python file, or cannot be written.
    """
    if not path.endswith(".py"):
        raise UserError(f"{path} is no Python file; give a name that ends in .py")
    try:
        with open(path, "x", encoding="utf-8") as file:
            file.write(TEMPLATE.read_text(encoding="utf-8"))
    except FileExistsError:
        raise UserError(f"{path} exists; give another name, or remove it") from None
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror})") from error
    print(f"{path} is a pair file. Check it: python -m parity check {path}")
