"""What is trained: the frozen experiment, its data, canonical weights, run folders and recordings."""
