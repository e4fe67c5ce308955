"""The read side of connectors, and the functions that lock."""
