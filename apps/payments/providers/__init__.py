"""One folder a payment provider, behind one contract; Segment, which is none, beside them."""

from __future__ import annotations
