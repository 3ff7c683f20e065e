"""PyTorch with Keras's semantics, on torch alone; each file can be copied on its own."""
