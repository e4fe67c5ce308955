"""THE function that changes a payment config, whoever calls (spec 04, OrganizationPaymentConfig)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction

from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.errors import ConflictError, Reason
from apps.core.ids import AuditTarget, OrganizationId
from apps.core.locks import lock_name
from apps.core.operations import require
from apps.core.row_versions import row_versions_attribute
from apps.subscriptions import events
from apps.subscriptions.contracts import (
    EndGrace,
    ExtendGrace,
    PaymentConfigChange,
    ProviderNews,
    ReanchorGrace,
    SetGraceDays,
    SetProviderCustomer,
    SetSubscriptionStatus,
    SetUsageOverride,
    StartGrace,
)
from apps.subscriptions.enums import EvidenceSubject, PaymentStatus, SubscriptionScope, SubscriptionStatus
from apps.subscriptions.handlers import read_standing, run_handlers
from apps.subscriptions.models import OrganizationPaymentConfig, ProviderEvidence
from apps.subscriptions.models.payment_configs import CUSTOMER_FIELDS, LONGEST_GRACE_DAYS
from apps.subscriptions.rules.payment_transitions import (
    PAYMENT_TRANSITIONS,
    SUBSCRIPTION_STATUS_MAY_BECOME,
    PaymentTransition,
    grace_end,
    ignores_provider,
    is_legal,
    legal_verbs,
)
from apps.subscriptions.selectors.records import PAYMENT_CONFIG_TARGET, payment_config_for_update, payment_config_values
from apps.subscriptions.services.change_steps import (
    changed_names,
    evidence_store,
    impossible,
    is_person,
    nothing_to_change,
    provider_of,
    require_actor,
    require_reason,
)
from apps.tenants.services.refusals import unknown_organization


@dataclass(frozen=True, slots=True)
class PaymentConfigOutcome:
    """The config as it is now. Not applied: it said so already, or a provider's news was kept as evidence."""

    record: OrganizationPaymentConfig
    is_applied: bool
    evidence: ProviderEvidence | None = None


@transaction.atomic
def payment_config_create(context: ExecutionContext, *, organization_id: OrganizationId) -> OrganizationPaymentConfig:
    """Make the config of a new organization, in the transaction that makes the organization; one each."""
    row_versions_attribute(context)
    config = OrganizationPaymentConfig.objects.create(organization_id=organization_id)
    audit_append(
        context,
        events.PAYMENT_CONFIG_CREATED,
        AuditTarget(PAYMENT_CONFIG_TARGET, config.pk, organization_id),
        after=payment_config_values(config),
    )
    return config


@transaction.atomic
def payment_config_change(
    context: ExecutionContext,
    *,
    organization_id: OrganizationId,
    change: PaymentConfigChange,
    reason: str = "",
    expected_version: int | None = None,
    news: ProviderNews | None = None,
) -> PaymentConfigOutcome:
    """Carry out one typed change, with one audit entry, or refuse it and change nothing.

    While the payment status is manual, a provider's news about payments are kept as evidence and change nothing. A
    subscription status that is so already, or can't become so, changes nothing when a provider tells it (spec 04).

    Raises `NotFoundError` `unknown_organization`; `ConflictError` `state_conflict` with the current status and the
    expected ones, `version_conflict`, `nothing_to_change`; `UnprocessableError`; `ForbiddenError`.
    """
    transition = PAYMENT_TRANSITIONS[change.verb]
    require(context, transition.operation)
    require_actor(context, transition.who, transition.label)
    require_reason(context, reason)
    config = payment_config_for_update(organization_id)
    if config is None:
        raise unknown_organization(organization_id)
    if _is_evidence_only(context, config, transition):
        return PaymentConfigOutcome(
            config, is_applied=False, evidence=_store_evidence(context, organization_id, change, news)
        )
    _require_version(config, expected_version)
    _require_transition(config, transition)
    if isinstance(change, SetSubscriptionStatus) and not _may_subscribe(context, config, change):
        return PaymentConfigOutcome(config, is_applied=False)
    is_changed = _apply(context, config, change, reason)
    return PaymentConfigOutcome(config, is_applied=is_changed)


def _is_evidence_only(
    context: ExecutionContext, config: OrganizationPaymentConfig, transition: PaymentTransition
) -> bool:
    is_news = provider_of(context) is not None and transition.changes_status
    return is_news and ignores_provider(PaymentStatus(config.payment_status))


def _store_evidence(
    context: ExecutionContext, organization_id: OrganizationId, change: PaymentConfigChange, news: ProviderNews | None
) -> ProviderEvidence:
    return evidence_store(
        context,
        subject=EvidenceSubject.PAYMENT_CONFIG,
        organization_id=organization_id,
        place=None,
        verb=change.verb,
        news=news,
        why_kept="the payment status is manual: staff decide",
    )


def end_grace_period(
    context: ExecutionContext, *, organization_id: OrganizationId, reason: str = ""
) -> OrganizationPaymentConfig:
    """End the running grace period now, which disables payments (spec 04, Grace period).

    Raises `NotFoundError` `unknown_organization`, `ConflictError` `state_conflict` when no grace period runs.
    """
    return payment_config_change(context, organization_id=organization_id, change=EndGrace(), reason=reason).record


def _apply(
    context: ExecutionContext, config: OrganizationPaymentConfig, change: PaymentConfigChange, reason: str
) -> bool:
    transition, before = PAYMENT_TRANSITIONS[change.verb], payment_config_values(config)
    carry_out(config, change, transition)
    if not changed_names(before, payment_config_values(config)):
        if is_person(context):
            raise nothing_to_change("The payment config is already as asked for.")
        return False
    config.version += 1
    row_versions_attribute(context, reason=reason)
    config.save(force_update=True)
    # Before the audit entry, which locks the organization's chain: whatever follows locks its own records first.
    run_handlers(context, config=config, before=before)
    audit_append(
        context,
        transition.event,
        AuditTarget(PAYMENT_CONFIG_TARGET, config.pk, config.organization_id),
        before=before,
        after=payment_config_values(config),
        reason=reason,
    )
    return True


def _may_subscribe(context: ExecutionContext, config: OrganizationPaymentConfig, change: SetSubscriptionStatus) -> bool:
    """Whether the subscription status may become so; a person is told why not, news are only passed over."""
    now = SubscriptionStatus(config.subscription_status)
    if change.status in SUBSCRIPTION_STATUS_MAY_BECOME[now]:
        return True
    if not is_person(context):
        # Subscriptions at a provider say nothing against what staff have sold for the whole organization.
        return change.status is now and config.subscription_scope != SubscriptionScope.STAFF
    if change.status is now:
        raise nothing_to_change(f"The subscription status is already {now.value}.")
    legal = ", ".join(status.value for status in sorted(SUBSCRIPTION_STATUS_MAY_BECOME[now]))
    raise ConflictError(f"The subscription status is {now.value}; it may become {legal}, not {change.status.value}.")


def _require_version(config: OrganizationPaymentConfig, expected_version: int | None) -> None:
    if expected_version is not None and expected_version != config.version:
        raise ConflictError(
            f"The payment config changed since you saw it (version {expected_version}, now {config.version}). Look at "
            "it again, then repeat what you wanted.",
            code="version_conflict",
            title="The payment config changed in between",
        )


def _require_transition(config: OrganizationPaymentConfig, transition: PaymentTransition) -> None:
    status = PaymentStatus(config.payment_status)
    if is_legal(transition.verb, status):
        return
    expected = " or ".join(sorted(source.value for source in transition.sources))
    legal = ", ".join(row.label for row in legal_verbs(status))
    raise ConflictError(
        f"The payment status is {status.value}; {transition.label} expects {expected}. Possible: {legal}.",
        explanation=[
            Reason(
                "payment_status",
                "deny",
                f"the payment status is {status.value}, expected {expected}",
                f"payment_config:{config.organization_id}",
            )
        ],
    )


def carry_out(config: OrganizationPaymentConfig, change: PaymentConfigChange, transition: PaymentTransition) -> None:
    """Set the fields that the change speaks of. Raises `UnprocessableError` for impossible values."""
    if transition.changes_status:
        _move(config, change, transition)
        return
    match change:
        case ExtendGrace():
            _extend(config, change.until)
        case ReanchorGrace():
            _reanchor(config, change)
        case SetSubscriptionStatus():
            config.subscription_status, config.subscription_scope = change.status, change.scope
        case SetUsageOverride():
            config.usage_category_override = change.category or ""
        case SetGraceDays():
            _set_grace_days(config, change.days)
        case SetProviderCustomer():
            _set_customer(config, change)
        case _:
            raise AssertionError(f"{change.verb} changes nothing")


def _move(config: OrganizationPaymentConfig, change: PaymentConfigChange, transition: PaymentTransition) -> None:
    if transition.target is None:
        # Staff hand back: what the mirrored invoices say decides (spec 04).
        standing = read_standing(config)
        config.payment_status, config.grace_period_end_at = standing.status, standing.grace_period_end_at
        return
    config.payment_status = transition.target
    config.grace_period_end_at = _grace_end(config, change) if isinstance(change, StartGrace) else None


def _grace_end(config: OrganizationPaymentConfig, change: StartGrace | ReanchorGrace) -> datetime:
    told_at, notice = change.told_at or clock.now(), timedelta(days=settings.GRACE_NOTICE_DAYS)
    return grace_end(change.started_at, told_at, days=config.grace_period_days, notice=notice)


def _extend(config: OrganizationPaymentConfig, until: datetime) -> None:
    if config.grace_period_end_at is None or until <= config.grace_period_end_at:
        raise impossible("until", f"Choose an end later than {config.grace_period_end_at:%Y-%m-%d %H:%M} UTC.")
    config.grace_period_end_at = until


def _reanchor(config: OrganizationPaymentConfig, change: ReanchorGrace) -> None:
    end = _grace_end(config, change)
    config.grace_period_end_at = end if change.keep_until is None else max(end, change.keep_until)


def _set_grace_days(config: OrganizationPaymentConfig, days: int | None) -> None:
    if days is not None and not 1 <= days <= LONGEST_GRACE_DAYS:
        raise impossible("days", f"A grace period lasts 1 to {LONGEST_GRACE_DAYS} days.")
    config.grace_period_days = days


def _set_customer(config: OrganizationPaymentConfig, change: SetProviderCustomer) -> None:
    if not change.customer_id:
        raise impossible("customer_id", f"Name the customer at {change.provider.label}.")
    field = CUSTOMER_FIELDS[change.provider]
    lock_name(f"provider-customer:{change.provider.value}:{change.customer_id}")
    taken = OrganizationPaymentConfig.objects.filter(**{field: change.customer_id}).exclude(pk=config.pk)
    other = taken.values_list("organization", flat=True).first()
    if other is not None:
        raise ConflictError(
            f"The {change.provider.label} customer {change.customer_id} stands for organization {other}.",
            code="provider_customer_taken",
            title="Another organization has this customer",
        )
    setattr(config, field, change.customer_id)
