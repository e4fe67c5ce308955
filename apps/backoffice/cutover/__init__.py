"""The cutover check of a product: `drive` calls the real API, `figures` looks at its data, `check` runs both."""

from __future__ import annotations
