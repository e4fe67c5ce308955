"""Credits on the staff plane: how amounts are written, what the verbs ask and do (spec 05, 08)."""
