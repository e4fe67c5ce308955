"""The read side of payments; `<entity>_for_update` is the only place that locks."""

from __future__ import annotations
