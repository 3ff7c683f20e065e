"""Answers for Keras."""
