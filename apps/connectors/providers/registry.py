"""Finds the providers: every module of this package may hold one, and nothing else has to be told (spec 06)."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from datetime import UTC, tzinfo
from functools import cache
from types import MappingProxyType
from typing import Any

import msgspec
from pydantic import ValidationError

from apps.connectors import providers
from apps.connectors.contracts import OAuthServer, Provider, Secret
from apps.connectors.enums import CredentialKind
from apps.connectors.providers.http import describe_problems
from apps.core.errors import FieldError, MalformedRequestError, UnprocessableError
from apps.core.registry import Registry

DEMO = "demo"


@cache
def provider_classes() -> Mapping[str, type[Provider]]:
    """Every provider by its name. Two of one name are a mistake, found when the first is asked for."""
    found: Registry[type[Provider]] = Registry("provider")
    for module_info in sorted(pkgutil.iter_modules(providers.__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{providers.__name__}.{module_info.name}")
        for _, member in inspect.getmembers(module, inspect.isclass):
            is_here = member.__module__ == module.__name__ and issubclass(member, Provider)
            if is_here and not inspect.isabstract(member):
                found.register(member.name, member)
    return MappingProxyType(found)


def provider_class(name: str) -> type[Provider]:
    """The provider of this name; raises `UnprocessableError` `unknown_provider` that names those there are."""
    found = provider_classes().get(name)
    if found is None:
        sentence = f"There is no provider {name!r}. Choose one of: {', '.join(provider_classes())}."
        raise UnprocessableError(
            sentence,
            code="unknown_provider",
            title="Unknown provider",
            errors=[FieldError("provider", "unknown_provider", sentence)],
        )
    return found


def oauth_server_of(name: str) -> OAuthServer | None:
    """The server at which people authorize connectors of this provider; None for other kinds of credential."""
    found = provider_classes().get(name)
    return found.oauth_server if found else None


def oauth_servers() -> list[OAuthServer]:
    """Every server that a provider names."""
    found = {provider.oauth_server for provider in provider_classes().values() if provider.oauth_server}
    return sorted(found, key=lambda server: server.name)


def needs_credential(name: str) -> bool:
    """Whether a connector of the provider runs only with a credential."""
    return provider_class(name).credential_kind is not CredentialKind.NONE


def provider_label(name: str) -> str:
    """What people read; a provider that is no longer there keeps its name."""
    found = provider_classes().get(name)
    return found.label if found else name


def checked_settings(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    """The settings as they are stored; raises `MalformedRequestError` for an unknown or a missing field, with the
    nearest name, and `UnprocessableError` for a value that can't be."""
    form = provider_class(name).settings_form
    try:
        return form.model_validate(dict(values)).model_dump(mode="json")
    except ValidationError as error:
        found = describe_problems(error, form)
    problems = [msgspec.structs.replace(problem, field=_below(problem.field)) for problem in found]
    words = "; ".join(f"{problem.field} {problem.message}" for problem in problems)
    is_malformed = any(problem.code in {"unknown_field", "required"} for problem in problems)
    error_class = MalformedRequestError if is_malformed else UnprocessableError
    raise error_class(f"The settings can't be taken: {words}.", errors=problems)


def _below(field: str) -> str:
    return f"settings.{field}" if field else "settings"


def open_provider(
    name: str, secret: Secret | None, settings: Mapping[str, Any], *, is_demo: bool, zone: tzinfo = UTC
) -> Provider:
    """The provider for one connector of an organization in the zone. In a demo organization nothing leaves the
    building: it is the demo provider, whatever the connector's own is (spec 02, Demo tenants)."""
    if is_demo:
        return provider_class(DEMO)(None, {})
    return provider_class(name)(secret, settings, zone)
