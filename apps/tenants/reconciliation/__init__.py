"""Reconciliation runs, carried out: `export` asks a product page by page, `engine` takes a run from claim to end.

A report is stored first, whole, and judged as a whole; only then is it merged, batch by batch. Each page and each batch
is one transaction that also says how far the run is, so that a worker that dies leaves nothing half done.
"""

from __future__ import annotations
