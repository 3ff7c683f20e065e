"""Measures what the README's tables show."""
