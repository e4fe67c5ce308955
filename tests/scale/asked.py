"""Every page, list, filter, search, file and call of products, each as something that can be asked, by its name.

The tables of tests/access say which there are: what is missing here fails, and so does what is answered otherwise.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.db.models import Model
from django.test import Client, RequestFactory
from django.urls import reverse

from apps.backoffice.filters import StaffFilter
from apps.backoffice.registry import PAGES, registered_pages
from apps.connectors.models import Connector, SyncRun
from apps.core.enums import DEFAULT_PRODUCT_SCOPES, Scope
from apps.core.models import AuditEntry, JobRun, OutboxItem
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant, ShadowDisagreement
from apps.payments.models import ProviderInvoice, WebhookEvent
from apps.subscriptions.models import DecisionReceipt
from apps.tenants.models import Membership, Organization, User, Workspace
from tests.access.connectors import make_connectors
from tests.access.ledgers import make_ledger, publish_prices
from tests.access.outcomes import DELETE_BODIES, JOB_ROUTES, SUCCESS
from tests.access.pages import DECLARED_PAGES, OF_A_CONNECTOR, OF_A_MEMBER, page_routes
from tests.access.routes import DECLARED
from tests.access.test_staff_plane import GUARDED, arguments_of, make_records
from tests.access.world import Tenant, World, request_of
from tests.factories.tenants import make_cron_token, make_membership, make_product, make_token, make_user
from tests.scale.measure import undone

_WORDS_OF_NOBODY = "nothing-begins-so"
# The rows of the hot organization, by the letter and the SQL number of their ids in `tests.scale.build`.
_SUBJECTS: dict[type[Model], tuple[str, str]] = {
    Organization: ("o", "1"),
    Workspace: ("w", "1"),
    User: ("u", "1"),
    Membership: ("m", "1"),
    CreditAccount: ("o", "1"),
    CreditGrant: ("g", "1"),
    Connector: ("k", "1"),
    SyncRun: ("y", "10"),
    AuditEntry: ("a", "20"),
    WebhookEvent: ("e", "20"),
    JobRun: ("j", "20"),
    OutboxItem: ("x", "20"),
    DecisionReceipt: ("d", "20"),
    ProviderInvoice: ("i", "20"),
    ShadowDisagreement: ("s", "20"),
}
# What the pages of a tenant can be asked beside their plain address.
_FILTERS: dict[str, tuple[str, ...]] = {
    "billing-credits": ("kind=grant", "kind=consumption", "kind=reversal", "since=2026-01-01&until=2026-12-31"),
    "billing-credits-csv": ("kind=grant",),
    "billing-usage": tuple(
        f"time_window={window}{of}"
        for window in ("lastMonth", "lastSixMonths", "lastYear")
        for of in ("", "&of=organization")
    ),
    "billing-usage-csv": ("time_window=lastYear",),
    "billing-records": ("month=2026-03", "kind=usage", "currency=EUR", "voided=on", "month=2026-03&kind=usage"),
    "billing-records-csv": ("month=2026-03",),
    "billing-invoices": ("page=2",),
}
_FILES = re.compile(r"csv|xlsx|_file")
_READING_ALL_THEY_WRITE = re.compile(r"credits-csv|records-csv|list_file")
_FURTHER = re.compile(r'href="([^"]*[?&;](?:before|after|page|p)=[^"]*)"')


@dataclass(frozen=True, slots=True)
class Asked:
    """What is measured: its name, what kind of thing it is, and how it is asked. A call returns its lines."""

    name: str
    group: str
    call: Callable[[], int]


def subject(model: type[Model]) -> uuid.UUID:
    """The key of a row of the hot organization, as `tests.scale.rows.row_id` makes it."""
    letter, number = _SUBJECTS[model]
    return uuid.UUID(hashlib.md5(f"{letter}-{number}".encode(), usedforsecurity=False).hexdigest())


def _lines(answer: Any, *, allowed: set[int]) -> int:
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    assert answer.status_code in allowed, (answer.request, answer.status_code, body[:1_000])
    return int(body.count(b"\n"))


def _page(client: Client, name: str, group: str, url: str) -> Asked:
    return Asked(name, group, lambda: _lines(client.get(url), allowed={200, 302}))


def staff_pages(client: Client, user: User, *, choices: int) -> Iterator[Asked]:
    """Each page and list of staff, a search in each, a late page of it, and so many choices of each of its filters."""
    found = {page.route_prefix: subject(page.model) for page in registered_pages() if page.model in _SUBJECTS}
    records = make_records() | found
    hot_entries = CreditEntry.objects.filter(account_id=subject(Organization))
    records["credits_creditentry"] = hot_entries.order_by("-sequence").values_list("pk", flat=True)[0]
    for name in GUARDED:
        # The dialogs of a record are many, and alike: only the whole table has them.
        is_dialog = name.startswith(tuple(records)) and not name.endswith(("_change", "_list_file"))
        if not name.endswith("_changelist") and (choices or not is_dialog):
            group = "file" if _READING_ALL_THEY_WRITE.search(name) else "page"
            yield _page(client, f"staff {name}", group, reverse(f"admin:{name}", kwargs=arguments_of(name, records)))
    id_of_one = str(records["tenants_organization"])
    for term in ("scale", "Scale 1", "user1@scale.example", _WORDS_OF_NOBODY, id_of_one):
        title = "staff search by id" if term == id_of_one else f"staff search {term}"
        yield _page(client, title, "page", f"{reverse('admin:search')}?{urlencode({'s': term})}")
    request = RequestFactory().get("/")
    request.user = user
    for model, page in zip(PAGES, registered_pages(), strict=True):
        url = reverse(f"admin:{page.route_prefix}_changelist")
        name = f"staff {model.__name__}"
        yield _page(client, name, "page", url)
        yield _page(client, f"{name} ?p=60", "page", f"{url}?p=60")
        for title, term in (("of nobody", _WORDS_OF_NOBODY), ("its id", str(records[page.route_prefix]))):
            yield _page(client, f"{name} ?q={title}", "page", f"{url}?{urlencode({'q': term})}")
        for filter_class in page.list_filter if choices else ():
            assert isinstance(filter_class, type)
            assert issubclass(filter_class, StaffFilter)
            shown = filter_class(request, {}, model, page)
            options = [value for value, _ in shown.options()] or ["2026-01-15"]
            for place, value in enumerate(options[:choices]):
                asked = {shown.parameters[0]: value}
                said = value if len(value) < 30 else f"{place + 1}."
                yield _page(client, f"{name} ?{shown.parameters[0]}={said}", "page", f"{url}?{urlencode(asked)}")


def tenant_pages(client: Client) -> Iterator[Asked]:
    """Each page and file of the hot organization's workspace, with its filters, and the page that it leads on to."""
    in_address = {OF_A_CONNECTOR: subject(Connector), OF_A_MEMBER: subject(User)}
    patterns = {route.name: route.pattern for route in page_routes()}
    slug = Workspace.objects.get(pk=subject(Workspace)).slug
    yield _page(client, "tenant billing-home", "page", reverse("billing-home"))
    for name in (name for name, methods in DECLARED_PAGES.items() if "GET" in methods):
        plain = reverse(name, args=(slug, *(key for part, key in in_address.items() if part in patterns[name])))
        group = "usage" if "usage" in name else "file" if _READING_ALL_THEY_WRITE.search(name) else "page"
        for asked in ("", *_FILTERS.get(name, ())):
            url = f"{plain}?{asked}" if asked else plain
            yield _page(client, f"tenant {name} {asked}".strip(), group, url)
            further = [] if _FILES.search(name) else _FURTHER.findall(client.get(url).content.decode())
            if further:
                title = " ".join(filter(None, ("tenant", name, asked, "further")))
                yield _page(client, title, group, _address(plain, further))


def _address(page: str, links: list[str]) -> str:
    link = links[-1].replace("&amp;", "&")
    return link if link.startswith("/") else page + link


def product_calls() -> Iterator[Asked]:
    """Each call of the API about the hot organization; what it changes is undone."""
    organization = Organization.objects.get(pk=subject(Organization))
    workspace = Workspace.objects.get(pk=subject(Workspace))
    member = make_membership(organization, make_user())
    ids = (organization.pk, workspace.pk, member.user_id, subject(JobRun))
    tenant = Tenant(*ids, make_ledger(organization), *make_connectors(workspace))
    scopes = (*DEFAULT_PRODUCT_SCOPES, Scope.TENANTS_MANAGE, Scope.PAYMENTS_WRITE)
    tokens = {False: make_token(make_product("identity"), *scopes), True: make_cron_token()}
    publish_prices()
    world = World({}, {}, tokens, {}, make_user().pk)  # type: ignore[arg-type]
    client = Client()
    for route, methods in DECLARED.items():
        for method in methods:
            yield _call(client, route, method, tenant, world, tokens[route in JOB_ROUTES])


def _call(client: Client, route: str, method: str, tenant: Tenant, world: World, token: str) -> Asked:
    allowed = {("job-run", "POST"): {202}, ("job-run-detail", "GET"): {200}, ("end-grace-period", "POST"): {409}}

    def ask() -> int:
        arguments, body = request_of(route, tenant, world)
        body = DELETE_BODIES.get(route, {}) if method == "DELETE" else body
        has_body = method in {"POST", "PUT", "PATCH"} or bool(method == "DELETE" and body)
        answer: Any = client.generic(
            method,
            reverse(route, kwargs=arguments),
            json.dumps(body) if has_body else "",
            content_type="application/json" if has_body else "",
            headers={"authorization": f"Bearer {token}"},
        )
        return _lines(answer, allowed=SUCCESS.get((route, method)) or allowed[route, method])

    def ask_and_undo() -> int:
        undone(ask)
        return 0

    return Asked(f"call {method} {route}", "usage" if route == "usage-query" else "page", ask_and_undo)
