"""drf-spectacular's extension points for the strict wire. Loaded with the hook that the settings name."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema

from apps.core.mails import support_address
from apps.core.wire.fields import UUID_PATTERN
from apps.core.wire.serializers import StrictListSerializer

# Examples of what stands in addresses, by name; an id of any kind has the general one.
_PARAMETER_EXAMPLES: dict[str, object] = {
    "X-Request-ID": "run-8841-attempt-1",
    "account_type": "organization",
    "at": "2026-04-03T09:30:00Z",
    "changed_at": "2026-04-03T09:30:00Z",
    "limit": 50,
    "month": "2026-04",
    "name": "billing-sync",
    "product": "red",
    "time_window": "lastMonth",
}
_ID_EXAMPLE = "0f0a5f3e-6d3b-4a53-9f0b-5f2f7f4a9c10"
_TAGS = {
    "billing_mode": "Who decides for a product: itself, itself beside us, or we.",
    "connectors": "Outside systems that feed a workspace: make, switch, sync.",
    "credit_policies": "What a product's operations cost.",
    "credits": "The calls of every run: may it, what did it cost; balances and entries.",
    "grants": "Credits that an account was given.",
    "holds": "Credits set aside while a run goes on.",
    "jobs": "Start a scheduled job now, and look how it went.",
    "lifecycle": "What a workspace may do now, and why.",
    "members": "Who belongs to an organization, with which role.",
    "membership_snapshots": "All members that a product has, pushed in chunks to be compared with ours.",
    "organizations": "Customers, as products report them.",
    "payment_configs": "Whether a customer pays, and until when a grace period runs.",
    "portal_sessions": "Links from a product into the billing pages.",
    "usage": "What was used, by the day.",
    "users": "People, as the identity service reports them.",
    "workspaces": "The places that are subscribed and billed.",
}

Endpoint = tuple[str, str, str, Any]
INTERNAL_PREFIX = "/api/v1/internal/"


class BodySchema(AutoSchema):
    """As the library's, with the body of a deletion, where a view takes one."""

    def _get_request_body(self, direction: Any = "request") -> Any:
        if self.method != "DELETE" or not getattr(self.view, "deletes_with_body", False):
            return super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        # The library leaves the body of this method out by its name.
        self.method = "POST"
        try:
            return super()._get_request_body(direction)  # type: ignore[no-untyped-call]
        finally:
            self.method = "DELETE"


class StrictFieldExtension(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    """A strict field describes itself."""

    target_class = "apps.core.wire.fields.StrictField"
    match_subclasses = True

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        schema: dict[str, Any] = self.target.wire_schema() if direction == "request" else self.target.answer_schema()
        if self.target.allow_null and "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
        return schema


class StrictSerializerExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """A strict body takes no other fields, and says so."""

    target_class = "apps.core.wire.serializers.StrictSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        schema = {**_own_schema(self.target, auto_schema, direction), "additionalProperties": False}
        for name, field in self.target.fields.items():
            if isinstance(field, StrictListSerializer):
                # The library does not look at the bounds of a list of objects.
                schema["properties"][name] |= {"minItems": field.least, "maxItems": field.most}
        return schema


class AnswerSerializerExtension(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """An answer may gain fields, so it says nothing about others."""

    target_class = "apps.core.wire.serializers.AnswerSerializer"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        return _own_schema(self.target, auto_schema, direction)


def _own_schema(serializer: Any, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
    """The library's schema, with a description only where the class itself has one."""
    # The library's documented way on, without coming back to this extension.
    made = auto_schema._map_serializer(serializer, direction, bypass_extensions=True)  # type: ignore[no-untyped-call]  # noqa: SLF001
    schema: dict[str, Any] = dict(made)
    if not vars(type(serializer)).get("__doc__"):
        schema.pop("description", None)
    return schema


def finish(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """What the library leaves out: the form of ids in addresses, a summary of each operation, tags, whom to ask."""
    tags: set[str] = set()
    for methods in result["paths"].values():
        for operation in methods.values():
            tags.update(operation["tags"])
            operation["summary"] = _summary(operation["description"])
            for parameter in operation["parameters"]:
                if parameter["in"] == "path" and parameter["schema"].get("format") == "uuid":
                    parameter["schema"]["pattern"] = f"^{UUID_PATTERN}$"
                _add_example(parameter)
    result["tags"] = [{"name": tag, "description": _describe_tag(tag)} for tag in sorted(tags)]
    result["servers"] = [{"url": "/", "description": "This installation."}]
    if address := support_address():
        result["info"]["contact"] = {"name": "Who runs this installation", "email": address}
    return result


def _describe_tag(tag: str) -> str:
    return _TAGS.get(tag, f"{tag.replace('_', ' ').capitalize()}.")


def _add_example(parameter: dict[str, Any]) -> None:
    """An example of the parameter, unless it has one or none can be made up: a cursor is opaque."""
    example = _PARAMETER_EXAMPLES.get(parameter["name"])
    if example is None and parameter["schema"].get("format") == "uuid":
        example = _ID_EXAMPLE
    if example is not None and "examples" not in parameter:
        parameter.setdefault("example", example)


def _summary(description: str) -> str:
    """The first sentence of the view's docstring."""
    return " ".join(description.split()).partition(". ")[0].rstrip(".")


def only_internal(endpoints: list[Endpoint], **kwargs: Any) -> list[Endpoint]:
    """The document speaks of the internal API; pages and probes are not part of it."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith(INTERNAL_PREFIX)]
