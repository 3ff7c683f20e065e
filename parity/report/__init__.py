"""The reports of a parity run, all made from report.json and the recordings."""
