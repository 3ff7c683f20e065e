"""Undoes differences between a port and Keras's model, in the port's own process; see `difference.Undo`."""
