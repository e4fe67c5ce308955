"""What can't be when a connector is made or edited, as errors that name the field and the remedy."""

from __future__ import annotations

from apps.connectors.contracts import Month, ProviderError
from apps.connectors.rules.months import FirstMonthError, MonthNotBegunError, check_first_month
from apps.core import clock
from apps.core.errors import ConflictError, CountinghouseError, FieldError, UnavailableError, UnprocessableError
from apps.core.moments import zone_of
from apps.tenants.models import Organization


def refuse_first_month(month: Month, organization: Organization) -> None:
    """Raise `UnprocessableError` for a month that no connector of the organization can begin with now."""
    try:
        check_first_month(month, clock.now(), zone_of(organization.time_zone))
    except MonthNotBegunError as error:
        raise _field_error("first_month", "month_not_begun", "The month has not begun", f"{error}") from None
    except FirstMonthError as error:
        raise _field_error("first_month", "month_too_old", "The month is too long ago", f"{error}") from None


def demo_only() -> UnprocessableError:
    """Sample data in an organization that is not a demo."""
    return _field_error(
        "provider",
        "demo_only",
        "Only in a demo",
        "Sample data is only for demo organizations. Choose another provider.",
    )


def name_missing() -> UnprocessableError:
    """A blank name."""
    return _field_error("name", "required", "A name is missing", "Name the connector.")


def name_taken(name: str) -> ConflictError:
    """A name that another connector of the workspace has."""
    sentence = f"The workspace has a connector named {name!r} already. Choose another name."
    return ConflictError(
        sentence,
        code="connector_name_taken",
        title="The name is taken",
        errors=[FieldError("name", "connector_name_taken", sentence)],
    )


def key_not_taken(label: str) -> UnprocessableError:
    """A key for a provider without keys."""
    sentence = f"{label} takes no API key. Leave it out; where it asks for an authorization, give that on its page."
    return _field_error("api_key", "credential_not_taken", "No key is needed", sentence)


def key_missing() -> UnprocessableError:
    """Another host without its key."""
    sentence = "The address leads to another host. Give the key again: the stored one is sent to no host but its own."
    return _field_error("api_key", "credential_required", "The key is needed again", sentence)


def key_unusable() -> UnprocessableError:
    """A key that no HTTP header can carry."""
    sentence = "A key has 8 to 4,096 characters, without blanks or line breaks. Copy it again from the provider."
    return _field_error("api_key", "credential_unusable", "This can't be a key", sentence)


def check_failed(error: ProviderError) -> CountinghouseError:
    """The error of a failed check. After an outage the same key may be tried again (spec 11, P14)."""
    if error.is_credential_invalid:
        sentence = f"{error.sentence} Nothing was stored. Check the key and its permissions at the provider."
        return _field_error("api_key", "credential_refused", "The provider refused the key", sentence)
    if error.is_permanent:
        sentence = f"The key could not be checked: {error.sentence} Nothing was stored. Check the settings."
        return _field_error("settings", "check_failed", "The key could not be checked", sentence)
    wait = int(error.retry_after.total_seconds()) if error.retry_after else 30
    return UnavailableError(
        f"The key could not be checked: {error.sentence} Nothing was stored. Try again.",
        retry_after_seconds=max(wait, 1),
    )


def _field_error(field: str, code: str, title: str, sentence: str) -> UnprocessableError:
    return UnprocessableError(sentence, code=code, title=title, errors=[FieldError(field, code, sentence)])
