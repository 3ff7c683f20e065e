"""Generates the notebooks from their source files: `python -m notebooks.make`.

Edit and review the `.py` files in this folder (jupytext's percent format: every cell starts with `# %%`); open the
`.ipynb` files. The same source gives the same notebook to the byte.
"""

import sys
from pathlib import Path

from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from mlp_spec.support.files import write_text

FOLDER = Path(__file__).parent
SOURCES = tuple(sorted(FOLDER.glob("*_lab.py")))
# Without the version of Python or anything of the machine, which would change the file without a change of the source.
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def notebook(source: Path):
    """Reads a source file as a notebook without outputs, with cells numbered from `cell-01`.

    Jupyter's own cell ids are random, so that the file would change every time.

    Raises:
        UserError: jupytext is not installed.
    """
    try:
        import jupytext
        import nbformat
    except ModuleNotFoundError as error:
        raise UserError(f"there is no module {error.name}; pip install 'keras-lightning-parity[notebooks]'") from error
    document = jupytext.read(source, fmt="py:percent")
    document.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(document.cells, start=1):
        cell.id = f"cell-{number:02}"
    nbformat.validate(document)
    return document


def render(source: Path) -> str:
    """Returns the content of a source file's `.ipynb` file."""
    import nbformat

    return nbformat.writes(notebook(source)) + "\n"


def make() -> None:
    """Writes every notebook beside its source file."""
    for source in SOURCES:
        target = source.with_suffix(".ipynb")
        write_text(target, render(source))
        print(f"Written: {target}")


if __name__ == "__main__":
    sys.exit(command.run(make))
