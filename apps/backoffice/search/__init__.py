"""The search of the staff plane: what support has in hand, and the customer it belongs to."""
