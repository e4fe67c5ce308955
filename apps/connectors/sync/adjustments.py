"""Late changes to a final month, kept beside its records: what was reported can be told from what is (spec 06).

The third kind, a record that is gone, is kept where it is voided: `apps.connectors.sync.voiding`.
"""

from __future__ import annotations

from apps.connectors.enums import AdjustmentKind
from apps.connectors.models import RecordAdjustment
from apps.connectors.sync.pages import PageOutcome, PagePlace


def adjustments_of_page(place: PagePlace, outcome: PageOutcome) -> int:
    """Keep what the page added and changed; returns how many. A change of words alone moves no figure, but counts."""
    kept = [
        RecordAdjustment(
            **_place(place, row.fields.external_id, AdjustmentKind.ADDED),
            amount_after=row.fields.amount_minor,
            currency_after=row.fields.currency,
            quantity_after=row.fields.quantity,
        )
        for row in outcome.created
    ]
    kept += [
        RecordAdjustment(
            **_place(place, row.fields.external_id, AdjustmentKind.CHANGED),
            # A record that was voided counted for nothing.
            amount_before=None if known.is_voided else known.amount_minor,
            currency_before="" if known.is_voided else known.currency,
            quantity_before="" if known.is_voided else known.quantity,
            amount_after=row.fields.amount_minor,
            currency_after=row.fields.currency,
            quantity_after=row.fields.quantity,
        )
        for known, row in outcome.updated
    ]
    RecordAdjustment.objects.bulk_create(kept, batch_size=1_000)
    return len(kept)


def _place(place: PagePlace, external_id: str, kind: AdjustmentKind) -> dict[str, object]:
    return {
        "connector_id": place.connector_id,
        "run_id": place.run_id,
        "month": place.month,
        "external_id": external_id,
        "kind": kind,
        "noted_at": place.at,
    }
