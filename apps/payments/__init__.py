"""The provider boundary: webhook inbox, mirrored objects, grace, checkout, outbox handlers (spec 04)."""
