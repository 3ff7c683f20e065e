"""The fast path: whole steps, compiled or captured, and Lightning with less to do beside training."""
