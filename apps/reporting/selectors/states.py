"""The function that locks the positions of rollups."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from apps.reporting.models import RollupState


def states_for_update(account_ids: Sequence[UUID]) -> list[RollupState]:
    """Lock the positions until the transaction ends, in one order everywhere; each comes with its organization."""
    states = RollupState.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=account_ids)
    return list(states.select_related("account__organization").order_by("pk"))
