"""Answers for PyTorch Lightning."""
