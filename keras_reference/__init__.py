"""The lab's MLPs, written as Keras users write them."""
