"""The workspace page: posture first, then everything that makes it so, with the verbs that change it (spec 08)."""
