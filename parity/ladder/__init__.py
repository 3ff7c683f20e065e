"""Climbs the ladder of checks and shows how far it is."""
