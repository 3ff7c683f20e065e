"""Other ways to train the same models, for comparison; run one as `python -m benchmarks.contenders.<name>`."""
