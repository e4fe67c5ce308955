"""The setting OTEL_EXPORTER_OTLP_ENDPOINT: where traces go, and the packages that this takes."""

from __future__ import annotations

from importlib.util import find_spec

from billing_site import configuration

# The SDK, and what sends to a collector. Looking a package up imports those around it.
_NEEDED = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def collector(text: str) -> str:
    """The address of a collector that takes OTLP over HTTP; we add `/v1/traces`."""
    address = configuration.address(text)
    if not all(_is_installed(name) for name in _NEEDED):
        raise ValueError(
            "needs packages that are not installed. Install those of .requirements/tracing.txt (here: make tracing), "
            "or leave it out."
        )
    return address


def _is_installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False
