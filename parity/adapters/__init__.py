"""The two frameworks answer what the ladder asks, each in a process of its own."""
