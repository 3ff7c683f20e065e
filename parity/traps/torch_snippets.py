"""Evaluates the PyTorch side of `docs/traps.md`: `python -m parity.traps.torch_snippets`, started by `parity`."""

from parity.traps import evaluate as snippets

if __name__ == "__main__":
    snippets.answer()  # on the CPU and in float32, as torch does unless told otherwise
