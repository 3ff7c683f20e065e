"""Measures the numbers of the README's tables."""
