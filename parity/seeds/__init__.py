"""Many seeds of both frameworks: trained, stored, compared by equivalence tests."""
