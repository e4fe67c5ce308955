"""The rules of credits: pure functions of facts, prices and moments (spec 05)."""
