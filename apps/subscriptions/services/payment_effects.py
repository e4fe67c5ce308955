"""What each change does to the fields of a payment config. Legality is checked before, saving happens after."""

from __future__ import annotations

from datetime import datetime

from apps.core.errors import ConflictError
from apps.core.locks import lock_name
from apps.core.moments import after
from apps.subscriptions.contracts import (
    ExtendGrace,
    LeaveManual,
    PaymentConfigChange,
    ReanchorGrace,
    SetGraceDays,
    SetProviderCustomer,
    SetSubscriptionStatus,
    SetUsageOverride,
    StartGrace,
)
from apps.subscriptions.enums import PaymentStatus
from apps.subscriptions.models import OrganizationPaymentConfig
from apps.subscriptions.models.payment_configs import CUSTOMER_FIELDS, LONGEST_GRACE_DAYS
from apps.subscriptions.rules.payment_transitions import PaymentTransition, grace_length, is_in_grace, targets
from apps.subscriptions.services.guards import impossible


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
            config.subscription_status = change.status
        case SetUsageOverride():
            config.usage_category_override = change.category or ""
        case SetGraceDays():
            _set_grace_days(config, change.days)
        case SetProviderCustomer():
            _set_customer(config, change)
        case _:
            raise AssertionError(f"{change.verb} changes nothing")


def _move(config: OrganizationPaymentConfig, change: PaymentConfigChange, transition: PaymentTransition) -> None:
    target = change.status if isinstance(change, LeaveManual) else transition.target
    if target is None or target not in targets(transition):
        possible = ", ".join(sorted(status.value for status in targets(transition)))
        raise impossible("status", f"{transition.label} leads to {possible}.")
    config.payment_status = target
    config.grace_period_end_at = _grace_end(config, change) if is_in_grace(PaymentStatus(target)) else None


def _grace_end(config: OrganizationPaymentConfig, change: PaymentConfigChange) -> datetime | None:
    if not isinstance(change, StartGrace):
        return None
    return after(change.started_at, grace_length(config.grace_period_days))


def _extend(config: OrganizationPaymentConfig, until: datetime) -> None:
    if config.grace_period_end_at is None or until <= config.grace_period_end_at:
        raise impossible("until", f"Choose an end later than {config.grace_period_end_at:%Y-%m-%d %H:%M} UTC.")
    config.grace_period_end_at = until


def _reanchor(config: OrganizationPaymentConfig, change: ReanchorGrace) -> None:
    end = after(change.started_at, grace_length(config.grace_period_days))
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
