"""Values, files, errors and commands: what every package may use."""
