"""Starts one process a framework, compares what they record, decides and reports."""
