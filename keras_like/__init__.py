"""PyTorch with the semantics of Keras; each file can be copied whole."""
