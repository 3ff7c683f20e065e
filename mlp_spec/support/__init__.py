"""Checks of values, files, errors and commands, for every package."""
