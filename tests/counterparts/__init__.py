"""Outside systems that nobody here wrote, run as processes of their own (spec 12, Counterparts)."""
