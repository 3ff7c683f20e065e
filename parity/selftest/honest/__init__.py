"""Honest pairs: Keras models drawn at random, each with the LightningModule that trains like it, as pair files."""
