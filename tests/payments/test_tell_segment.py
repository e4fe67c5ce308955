"""Tracking events on their way to Segment: one call each, the same key each time, and nothing queued without a key."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest
import requests
import responses
from django.db import transaction
from pytest_django import Settings

from apps.core import clock
from apps.core.ids import OrganizationId
from apps.core.models import OutboxItem
from apps.core.outbox import outbox_drain
from apps.core.states import OutboxStatus
from apps.payments.models import BillingEvent
from apps.payments.tracking import SEGMENT_KIND, CreditsGranted, billing_event_record
from apps.tenants.models import Organization
from tests.contexts import console_context
from tests.factories.tenants import make_organization

pytestmark = pytest.mark.django_db(transaction=True)
TRACK = "https://segment.example/v1/track"


@pytest.fixture
def segment(settings: Settings) -> Iterator[responses.RequestsMock]:
    settings.SEGMENT_WRITE_KEY, settings.SEGMENT_API_BASE = "segment_key", "https://segment.example/"
    settings.STRIPE_SECRET_KEY = settings.ORB_API_KEY = ""
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def record() -> Organization:
    organization = make_organization("Northwind")
    with transaction.atomic():
        _record(organization)
    return organization


def _record(organization: Organization) -> None:
    assert billing_event_record(
        console_context(),
        properties=CreditsGranted("5", "purchased"),
        organization_id=OrganizationId(organization.pk),
        occurred_at=clock.now(),
        key=f"granted:{organization.pk}",
    )


def drain(times: int = 1) -> OutboxItem:
    for _ in range(times):
        outbox_drain(console_context())
        OutboxItem.objects.filter(status=OutboxStatus.PENDING).update(next_attempt_at="2020-01-01T00:00:00Z")
    return OutboxItem.objects.get(kind=SEGMENT_KIND)


def test_without_a_key_the_event_is_kept_and_nothing_is_queued(settings: Settings) -> None:
    settings.SEGMENT_WRITE_KEY = ""
    record()
    assert BillingEvent.objects.count() == 1
    assert not OutboxItem.objects.filter(kind=SEGMENT_KIND).exists()


def test_an_event_is_told_with_its_time_and_its_properties(segment: responses.RequestsMock) -> None:
    segment.post(TRACK, json={"success": True})
    organization = record()
    item = drain()
    assert item.status == OutboxStatus.DONE
    event, request = BillingEvent.objects.get(), segment.calls[0].request
    assert request.headers["Authorization"] == f"Basic {base64.b64encode(b'segment_key:').decode()}"
    assert json.loads(request.body or b"") == {
        "userId": str(organization.pk),
        "event": "Credits Granted",
        "properties": {"credits": "5", "grant_type": "purchased"},
        "timestamp": event.occurred_at.isoformat(),
        "messageId": item.key,
    }


@pytest.mark.slow
def test_a_call_without_an_answer_is_repeated_with_the_same_key(segment: responses.RequestsMock) -> None:
    segment.post(TRACK, body=requests.ReadTimeout())
    segment.post(TRACK, status=500)
    segment.post(TRACK, json={"success": True})
    record()
    assert drain(6).status == OutboxStatus.DONE
    told = [json.loads(call.request.body or b"")["messageId"] for call in segment.calls]
    assert len(told) >= 3
    assert set(told) == {OutboxItem.objects.get(kind=SEGMENT_KIND).key}


def test_a_refused_event_is_parked_and_says_why(segment: responses.RequestsMock) -> None:
    segment.post(TRACK, status=400)
    record()
    item = drain(3)
    assert item.status == OutboxStatus.PARKED
    assert "Segment answered 400" in item.last_error
    assert len(segment.calls) == 1
    assert BillingEvent.objects.count() == 1


def test_a_wrong_key_is_tried_again_as_it_may_be_corrected(segment: responses.RequestsMock) -> None:
    segment.post(TRACK, status=401)
    record()
    item = drain()
    assert item.status == OutboxStatus.PENDING
    assert "refuses our key" in item.last_error
