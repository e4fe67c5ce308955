"""Usage of the internal API (spec 09, Connectors, usage, jobs)."""
