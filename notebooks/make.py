"""Makes the notebooks from their text: `python -m notebooks.make`.

The `.py` files in this folder are what people edit and review (jupytext's percent format: every cell starts with
`# %%`); the `.ipynb` files are what people open. Equal texts give equal notebooks, to the byte.
"""

import sys
from pathlib import Path

from mlp_spec.support import command
from mlp_spec.support.errors import UserError
from mlp_spec.support.files import write_text

FOLDER = Path(__file__).parent
SOURCES = tuple(sorted(FOLDER.glob("*_lab.py")))
# No version of Python and nothing of the machine: they would change the file without a change of the text.
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def notebook(source: Path):
    """Reads a text as a notebook without outputs, its cells numbered from `cell-01`.

    Jupyter gives cells random names, which would make every notebook another file.

    Raises:
        UserError: jupytext is not installed.
    """
    try:
        import jupytext
        import nbformat
    except ModuleNotFoundError as error:
        raise UserError(f"there is no module {error.name}; pip install 'keras-lightning-parity[notebooks]'") from error
    made = jupytext.read(source, fmt="py:percent")
    made.metadata = nbformat.from_dict(METADATA)
    for number, cell in enumerate(made.cells, start=1):
        cell.id = f"cell-{number:02}"
    nbformat.validate(made)
    return made


def render(source: Path) -> str:
    """Renders a text as the content of its `.ipynb` file."""
    import nbformat

    return nbformat.writes(notebook(source)) + "\n"


def make() -> None:
    """Writes every notebook beside its text."""
    for source in SOURCES:
        target = source.with_suffix(".ipynb")
        write_text(target, render(source))
        print(f"Written: {target}")


if __name__ == "__main__":
    sys.exit(command.run(make))
