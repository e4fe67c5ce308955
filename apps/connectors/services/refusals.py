"""Refusals of onboarding, in the words of whoever types a key. None of them repeats it."""

from __future__ import annotations

from apps.connectors.contracts import ProviderError
from apps.core.errors import ConflictError, CountinghouseError, FieldError, UnavailableError, UnprocessableError


def demo_only() -> UnprocessableError:
    """Sample data in an organization that is none."""
    return _refused(
        "provider",
        "demo_only",
        "Only in a demo",
        "Sample data is for demo organizations alone. Choose a provider that brings real records.",
    )


def name_missing() -> UnprocessableError:
    """A name of blanks."""
    return _refused("name", "required", "A name is missing", "Name the connector.")


def name_taken(name: str) -> ConflictError:
    """Two connectors of one workspace would read alike."""
    sentence = f"The workspace has a connector named {name!r} already. Choose another name."
    return ConflictError(
        sentence,
        code="connector_name_taken",
        title="The name is taken",
        errors=[FieldError("name", "connector_name_taken", sentence)],
    )


def key_not_taken(label: str) -> UnprocessableError:
    """A key for a provider that has none."""
    sentence = f"{label} takes no API key. Leave it out; where it asks for an authorization, give that on its page."
    return _refused("api_key", "credential_not_taken", "No key is needed", sentence)


def key_unusable() -> UnprocessableError:
    """Something that no header can carry."""
    sentence = "A key has 8 to 4,096 characters, without blanks or line breaks. Copy it again from the provider."
    return _refused("api_key", "credential_unusable", "This can't be a key", sentence)


def check_failed(error: ProviderError) -> CountinghouseError:
    """What the provider said to the key. An outage is no refusal: it may be tried again (spec 11, P14)."""
    if error.is_credential_invalid:
        sentence = f"{error.sentence} Nothing was stored. Check the key and its permissions at the provider."
        return _refused("api_key", "credential_refused", "The provider refused the key", sentence)
    if error.is_permanent:
        sentence = f"The key could not be checked: {error.sentence} Nothing was stored. Check the settings."
        return _refused("settings", "check_failed", "The key could not be checked", sentence)
    wait = int(error.retry_after.total_seconds()) if error.retry_after else 30
    return UnavailableError(
        f"The key could not be checked: {error.sentence} Nothing was stored. Try again.",
        retry_after_seconds=max(wait, 1),
    )


def _refused(field: str, code: str, title: str, sentence: str) -> UnprocessableError:
    return UnprocessableError(sentence, code=code, title=title, errors=[FieldError(field, code, sentence)])
