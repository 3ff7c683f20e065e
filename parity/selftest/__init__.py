"""Measures the checker itself: its detection rate and its false-alarm rate."""
