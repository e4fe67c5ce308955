"""The workspace page: the lifecycle first, then what it follows from, with the verbs that change it (spec 08)."""
