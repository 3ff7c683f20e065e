"""Evaluates the Keras side of `docs/traps.md`: `python -m parity.traps.keras_snippets`, started by `parity`."""

from parity.traps import evaluate as snippets


def main() -> None:
    """Answers on TensorFlow, on the CPU, in float32."""
    from keras_reference import backend

    backend.start("cpu", "float32")
    snippets.answer()


if __name__ == "__main__":
    main()
