"""Other ways to train the same models, for comparison; each is run as `python -m benchmarks.contenders.<name>`."""
