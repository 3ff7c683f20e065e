"""Reads the digit in a picture of your own: the command, its output, and the way from a picture to 28 x 28 pixels."""
