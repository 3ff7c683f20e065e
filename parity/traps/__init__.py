"""The catalogue of traps, and the page made from it."""
