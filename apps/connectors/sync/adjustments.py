"""Late changes to a final month, kept beside its records: what was reported can be told from what is (spec 06)."""

from __future__ import annotations

from apps.connectors.enums import AdjustmentKind
from apps.connectors.models import BillingRecord, RecordAdjustment
from apps.connectors.sync.pages import PageOutcome, PagePlace


def adjustments_of_page(place: PagePlace, outcome: PageOutcome) -> int:
    """Keep what the page added and changed; returns how many. A change of words alone moves no figure, but counts."""
    kept = [
        RecordAdjustment(
            **_place(place, row.external_id, AdjustmentKind.ADDED),
            amount_after=row.amount_minor,
            currency_after=row.currency,
            quantity_after=row.quantity,
        )
        for row in outcome.created
    ]
    kept += [
        RecordAdjustment(
            **_place(place, row.external_id, AdjustmentKind.CHANGED),
            # A record that was voided counted for nothing.
            amount_before=None if known.is_voided else known.amount_minor,
            currency_before="" if known.is_voided else known.currency,
            quantity_before="" if known.is_voided else known.quantity,
            amount_after=row.amount_minor,
            currency_after=row.currency,
            quantity_after=row.quantity,
        )
        for known, row in outcome.updated
    ]
    RecordAdjustment.objects.bulk_create(kept, batch_size=1_000)
    return len(kept)


def adjustments_of_voiding(place: PagePlace) -> int:
    """Keep what will be voided: the records that the run has not seen. Call it before they are; returns how many."""
    gone = (
        BillingRecord.objects.filter(connector=place.connector_id, month=place.month, voided_at=None)
        .exclude(seen_by=place.run_id)
        .values_list("external_id", "amount_minor", "currency", "quantity")
        .iterator(chunk_size=1_000)
    )
    count, batch = 0, []
    for external_id, amount, currency, quantity in gone:
        batch.append(
            RecordAdjustment(
                **_place(place, external_id, AdjustmentKind.VOIDED),
                amount_before=amount,
                currency_before=currency,
                quantity_before=quantity,
            )
        )
        if len(batch) == 1_000:  # noqa: PLR2004 - as the chunks above
            count += len(RecordAdjustment.objects.bulk_create(batch))
            batch = []
    return count + len(RecordAdjustment.objects.bulk_create(batch))


def _place(place: PagePlace, external_id: str, kind: AdjustmentKind) -> dict[str, object]:
    return {
        "connector_id": place.connector_id,
        "run_id": place.run_id,
        "month": place.month,
        "external_id": external_id,
        "kind": kind,
        "noted_at": place.at,
    }
