"""Which hosts a product may register for the way back, and which addresses lead there."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.enums import Role
from apps.core.errors import ForbiddenError, UnprocessableError
from apps.core.ids import ProductId
from apps.core.models import AuditEntry
from apps.tenants.models import Product
from apps.tenants.return_urls import leads_to, registered_host
from apps.tenants.services import product_return_hosts_change
from tests.contexts import staff_context
from tests.factories.tenants import make_product


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("app.example.com", "app.example.com"),
        ("  APP.Example.COM ", "app.example.com"),
        ("app.example.com:443", "app.example.com"),
        ("app.example.com:8443", "app.example.com:8443"),
        ("xn--pp-via.example.com", "xn--pp-via.example.com"),
    ],
)
def test_hosts_that_are_taken(text: str, host: str) -> None:
    assert registered_host(text) == host


@pytest.mark.parametrize(
    "text",
    [
        "",
        "*",
        "*.example.com",
        "localhost",
        "example",
        "https://app.example.com",
        "app.example.com/x",
        "a b.example.com",
        "app.example.com.",
        ".example.com",
        "app..example.com",
        "-a.example.com",
        "192.0.2.1",
        "192.0.2.1:80",
        "[::1]",
        "äpp.example.com",
        "app.example.com:0",
        "app.example.com:123456",
        "user@app.example.com",
        "a" * 64 + ".com",
        "a." * 130 + "com",
        "app.example.com\x00",
    ],
)
def test_what_is_no_host_is_refused_in_a_sentence(text: str) -> None:
    with pytest.raises(ValueError, match="is no host; write names such as"):
        registered_host(text)


@given(st.text(max_size=60))
def test_whatever_leads_somewhere_is_plain_https(text: str) -> None:
    found = leads_to(f"https://{text}")
    if found is not None:
        assert "@" not in text.partition("/")[0].partition("?")[0].partition("#")[0]
        assert text.lower().startswith(found.partition(":")[0])


@pytest.mark.django_db
def test_hosts_are_changed_with_a_reason_and_audited() -> None:
    product = make_product()
    product_id, admin = ProductId(product.pk), staff_context(Role.PLATFORM_ADMIN)
    entries = AuditEntry.objects.count()
    for context, hosts, reason, error in (
        (staff_context(Role.BILLING_OPERATIONS), ["a.example.com"], "why", ForbiddenError),
        (admin, ["a.example.com"], " ", UnprocessableError),
        (admin, ["a.example.com", "*"], "why", UnprocessableError),
        (admin, [f"a{n}.example.com" for n in range(21)], "why", UnprocessableError),
    ):
        with pytest.raises(error):
            product_return_hosts_change(context, product_id=product_id, hosts=hosts, reason=reason)
    assert Product.objects.get().hosts_to_return_to() == []
    assert AuditEntry.objects.count() == entries
    for _ in range(2):
        product_return_hosts_change(
            admin, product_id=product_id, hosts=["b.example.com", "a.example.com", "A.example.com"], reason="why"
        )
    assert Product.objects.get().hosts_to_return_to() == ["a.example.com", "b.example.com"]
    entry = AuditEntry.objects.filter(event="product.changed").get()
    assert (entry.reason, entry.after) == ("why", {"return_hosts": ["a.example.com", "b.example.com"]})
