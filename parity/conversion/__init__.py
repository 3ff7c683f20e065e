"""Turns a `.keras` file into a Lightning checkpoint, or back, and checks the result."""
