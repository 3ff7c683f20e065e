"""Faulty candidates, one trap each: ordinary subclasses, as a user's own port would be."""
