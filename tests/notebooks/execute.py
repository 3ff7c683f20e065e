"""Executes a notebook as Jupyter does, in a kernel process: `python execute.py NOTEBOOK RESULT`.

A cell that fails ends it with status 1 and the cell's traceback; the result is written all the same.
"""

import sys
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError


def main(source: Path, result: Path) -> int:
    """Runs all cells in the folder of `result`; returns the exit status."""
    notebook = nbformat.read(source, as_version=4)
    # Without folders to look in, ipykernel describes a kernel of this very Python; a "python3" that somebody has
    # registered in a home folder may be another one.
    kernel = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[]))
    client = NotebookClient(
        notebook,
        km=kernel,
        timeout=300,
        coalesce_streams=True,  # a line that is printed in parts may come in several messages
        resources={"metadata": {"path": str(result.parent)}},
    )
    try:
        client.execute(cleanup_kc=True)
    except CellExecutionError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        nbformat.write(notebook, result)
    return 0


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
