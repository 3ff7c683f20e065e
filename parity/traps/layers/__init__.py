"""Keras's layers beside PyTorch's: how their tensors lie, and in what they differ; `docs/layers.md` is made from it."""
