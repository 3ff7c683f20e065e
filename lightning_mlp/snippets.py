"""Evaluates the PyTorch side of `docs/traps.md`: `python -m lightning_mlp.snippets`, started by `parity`."""

from mlp_spec import snippets

if __name__ == "__main__":
    snippets.answer()  # on the CPU and in float32, as torch does unless told otherwise
