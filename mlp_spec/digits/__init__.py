"""The digits: MNIST and the offline sample, checked to the byte."""
