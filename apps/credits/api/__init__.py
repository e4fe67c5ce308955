"""The internal API of credits (spec 09, Credits)."""
