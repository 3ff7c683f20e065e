"""The lab's experiment, its digits and its run folders, for both frameworks."""
