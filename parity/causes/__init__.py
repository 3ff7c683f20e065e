"""Which differences fail a candidate, each proved by undoing it; and what each alone does to a training."""
