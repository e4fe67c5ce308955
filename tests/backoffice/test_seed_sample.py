"""The sample as a whole: what every page needs is there, it agrees with itself, and the books are sound (spec 02, 09).

Nobody outside is asked for any of it: the tests refuse every connection.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.management import call_command

from apps.backoffice.seeding.connectors import DEMO_WISHES, WISHES
from apps.connectors.enums import RecordKind
from apps.connectors.models import BillingRecord, Connector, MonthState
from apps.core import clock
from apps.core.models import OutboxItem
from apps.core.states import OutboxStatus
from apps.credits.models import CreditEntry, CreditGrant, ShadowDisagreement
from apps.payments.models import ProviderDispute, ProviderInvoice, WebhookEvent
from apps.subscriptions.models import DecisionReceipt, OrganizationPaymentConfig, WorkspaceSubscription
from apps.tenants.models import MembershipDrift, Organization, ReconciliationRun


@pytest.fixture(scope="module", autouse=True)
def sample(lasting_db: None) -> None:
    call_command("seed_demo")


@pytest.mark.slow
def test_seeding_again_changes_nothing() -> None:
    models = (WebhookEvent, ProviderInvoice, BillingRecord, CreditEntry, DecisionReceipt, ReconciliationRun)
    made = sorted(Connector.objects.values_list("name", "status", "version"))
    counts = [model.objects.count() for model in models]
    configs = sorted(OrganizationPaymentConfig.objects.values_list("pk", "version"))
    call_command("seed_demo")
    assert sorted(Connector.objects.values_list("name", "status", "version")) == made
    assert [model.objects.count() for model in models] == counts
    assert sorted(OrganizationPaymentConfig.objects.values_list("pk", "version")) == configs
    assert len(made) == len(WISHES) + len(DEMO_WISHES)
    assert {status for _, status, _ in made} == {"pending", "enabled", "disabled"}


def test_the_books_are_sound(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("verify_ledger")
    call_command("verify_audit")
    call_command("rebuild_rollups", check=True)
    assert capsys.readouterr().out.lower().count("sound") >= 3


def test_a_connector_of_each_kind_has_the_records_of_a_year() -> None:
    for name in ("Stripe", "Usage of the data centre", "Sample usage", "Stripe of the demo"):
        connector = Connector.objects.get(name=name)
        assert MonthState.objects.filter(connector=connector).count() >= 13, name
        assert connector.last_success_at is not None
    kinds = BillingRecord.objects.filter(connector__name="Stripe").values_list("kind", flat=True).distinct()
    assert set(kinds) == {RecordKind.INVOICE, RecordKind.LINE, RecordKind.CREDIT_NOTE, RecordKind.REFUND}
    assert not BillingRecord.objects.filter(occurred_at__gt=clock.now(), connector__name="Stripe").exists()


def test_there_are_invoices_of_every_status_and_one_that_failed() -> None:
    invoices = ProviderInvoice.objects.filter(organization__slug="northwind")
    assert {*invoices.values_list("status", flat=True)} == {"paid", "open", "void", "uncollectible"}
    assert ProviderInvoice.objects.get(failed_at__isnull=False).organization.slug == "ines-ibarra"
    demo = ProviderInvoice.objects.filter(organization__slug="demo").values_list("status", flat=True)
    assert {*demo} == {"paid", "open", "void"}


def test_what_waits_for_a_person_is_there() -> None:
    assert {*WebhookEvent.objects.exclude(status="processed").values_list("status", flat=True)} == {
        "failed",
        "unmatched",
    }
    assert ProviderDispute.objects.get().organization.slug == "northwind"
    assert ReconciliationRun.objects.get().counts["open_drift"] == 3
    drift = {*MembershipDrift.objects.values_list("drift_class", flat=True)}
    assert drift == {"unknown_user", "role_differs", "missing_there"}
    assert ShadowDisagreement.objects.exists()
    assert DecisionReceipt.objects.filter(decision="deny").count() >= 3


def test_the_sample_does_not_contradict_itself() -> None:
    configs = {config.organization.slug: config for config in OrganizationPaymentConfig.objects.all()}
    assert (configs["northwind"].payment_status, configs["northwind"].subscription_status) == ("okay", "subscribed")
    ines = configs["ines-ibarra"]
    assert (ines.payment_status, ines.subscription_status) == ("grace_period", "subscribed")
    assert ines.grace_period_end_at is not None
    assert ines.grace_period_end_at > clock.now() + timedelta(days=7)
    for record in WorkspaceSubscription.objects.all():
        began = record.current_period_start or record.started_at
        assert record.started_at <= began <= clock.now(), record
    record = WorkspaceSubscription.objects.get(workspace__slug="northwind-production")
    plan = CreditGrant.objects.get(account__organization__slug="northwind", grant_type="plan")
    # The plan's credits are those of the period that runs.
    assert record.current_period_start is not None
    assert abs(plan.created_at - record.current_period_start) < timedelta(minutes=10)
    assert record.current_period_end is not None
    assert plan.expires_at is not None
    assert abs(plan.expires_at - record.current_period_end) < timedelta(minutes=10)


def test_nothing_of_it_leaves_the_building_by_itself() -> None:
    """Connectors outside the demo are off, so that no schedule asks anybody; the demo's outbox is shut."""
    outside = Connector.objects.exclude(workspace__organization__is_demo=True)
    assert not outside.filter(status="enabled").exists()
    demo = Organization.objects.get(slug="demo")
    sent = OutboxItem.objects.filter(organization_id=demo.pk).values_list("status", flat=True)
    assert {*sent} <= {OutboxStatus.SUPPRESSED}
