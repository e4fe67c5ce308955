"""Credits: what was consumed, what is left and for how long, and what is about to end (spec 07, Daily report)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Sum

from apps.core import clock
from apps.core.amounts import MICRO, round_to_quantum, show_micro
from apps.core.enums import UsageCategory
from apps.core.ids import OrganizationId
from apps.core.moments import in_zone, zone_of
from apps.core.texts import name_operation
from apps.credits.enums import CHARGES, EntryKind, HoldStatus
from apps.credits.models import CreditAccount, CreditGrant, Hold
from apps.credits.rules.forecast import WINDOW_DAYS
from apps.credits.selectors.forecast import runway_of
from apps.reporting.rules.comparing import compare, first_compared_day
from apps.reporting.rules.document import MOST_LINES, Group, Line, ReportScope, Section, Unit, Window
from apps.reporting.sections.links import page_link, staff_link
from apps.reporting.sections.registry import section
from apps.reporting.selectors.movements import Movement, credit_movements
from apps.reporting.selectors.platform_credits import REAL_ACCOUNTS, platform_charges, platform_late_charges
from apps.reporting.selectors.usage import Span, credit_usage
from apps.tenants.models import Product

_DAY = timedelta(days=1)
_SOON = timedelta(days=14)
# What nobody spends is no pace: an adjustment is made once.
_SPENDING = CHARGES - {EntryKind.ADJUSTMENT}
Words = tuple[UUID | None, str, str]


@section("credits", order=10)
def read_credits(scope: ReportScope, day: date, window: Window) -> Section:
    """The organization's, by its rollups; the platform's, by the entries of the days."""
    groups = _of_platform(scope, day) if scope.organization_id is None else _of_organization(scope, day)
    return Section("credits", "Credits", groups)


def _of_organization(scope: ReportScope, day: date) -> tuple[Group, ...]:
    organization_id = OrganizationId(scope.organization_id)  # type: ignore[arg-type]  # asked by the caller
    span = Span(organization_id, None, scope.zone, first_compared_day(day), day + _DAY)
    charges: dict[Words, dict[date, int]] = defaultdict(dict)
    runs: dict[Words, int] = defaultdict(int)
    for used in credit_usage(span):
        words = used.product_id, used.operation, used.category
        charges[words][used.day] = charges[words].get(used.day, 0) + used.charge
        runs[words] += used.count if used.day == day else 0
    movements = credit_movements(organization_id, scope.zone, day - (WINDOW_DAYS - 1) * _DAY)
    account = CreditAccount.objects.get(pk=organization_id)
    return (
        _consumed(scope, day, charges, runs),
        *_late(scope, day, movements),
        _standing(scope, day, account, movements),
        _ending(scope, CreditGrant.objects.filter(account=organization_id)),
        _old_holds(scope, Hold.objects.filter(account=organization_id)),
    )


def _of_platform(scope: ReportScope, day: date) -> tuple[Group, ...]:
    charges: dict[Words, dict[date, int]] = defaultdict(dict)
    runs: dict[Words, int] = defaultdict(int)
    for row in platform_charges(first_compared_day(day), day + _DAY):
        charges[row.words][row.day] = row.charge
        runs[row.words] += row.count if row.day == day else 0
    totals = CreditAccount.objects.filter(REAL_ACCOUNTS).aggregate(balance=Sum("balance"), held=Sum("held"))
    accounts = staff_link("credits_creditaccount")
    standing = (
        Line(
            "balance",
            "Balance of all accounts, when this was made",
            totals["balance"] or 0,
            Unit.CREDITS,
            link=accounts,
        ),
        Line("held", "Held for runs in progress", totals["held"] or 0, Unit.CREDITS, link=accounts),
    )
    real = Q(account__organization__is_demo=False, account__organization__is_synthetic=False)
    return (
        _consumed(scope, day, charges, runs),
        *_late_group(platform_late_charges(day), staff_link("credits_creditentry")),
        Group("standing", "Balance", standing),
        _ending(scope, CreditGrant.objects.filter(real)),
        _old_holds(scope, Hold.objects.filter(real)),
    )


def _consumed(
    scope: ReportScope, day: date, charges: Mapping[Words, Mapping[date, int]], runs: Mapping[Words, int]
) -> Group:
    """Every combination that is not 0 in the day or in what it is compared with, the most of the day first."""
    names = dict(Product.objects.filter(pk__in={words[0] for words in charges if words[0]}).values_list("pk", "name"))
    link = (
        staff_link("credits_creditentry") if scope.is_platform else page_link(scope, "billing-usage", of="organization")
    )
    lines = []
    total: dict[date, int] = defaultdict(int)
    for words, by_day in charges.items():
        product_id, operation, category = words
        for when, charge in by_day.items():
            total[when] += charge
        compared = compare(by_day, day)
        if not (by_day.get(day) or runs.get(words) or any(found.value for found in compared)):
            continue
        product = names.get(product_id, "No product") if product_id else "No product"
        label = f"{product}, {name_operation(operation) if operation else 'no operation'}"
        kind = UsageCategory(category).label.lower() if category else "no category"
        note = f"{kind}, {runs[words]:,} {'run' if runs[words] == 1 else 'runs'}"
        key = f"{product_id or ''}/{operation}/{category}"
        lines.append(Line(key, label, by_day.get(day, 0), Unit.CREDITS, link=link, note=note, compared=compared))
    lines.sort(key=lambda line: (-int(line.value or 0), line.key))
    whole = Line("total", "All", total.get(day, 0), Unit.CREDITS, link=link, compared=compare(total, day))
    shown = (whole, *lines[:MOST_LINES])
    return Group("consumed", "Consumed", shown, link, max(len(lines) - MOST_LINES, 0))


def _late(scope: ReportScope, day: date, movements: Sequence[Movement]) -> tuple[Group, ...]:
    """What came in on the day for earlier ones; nothing where nothing did."""
    late: dict[date, int] = defaultdict(int)
    for found in movements:
        if found.recorded_on == day and found.occurred_on < day and found.kind in _SPENDING:
            late[found.occurred_on] -= found.amount
    return _late_group(late, page_link(scope, "billing-credits"))


def _late_group(late: Mapping[date, int], link: str) -> tuple[Group, ...]:
    lines = tuple(
        Line(f"{when:%Y-%m-%d}", f"Late, for {when:%-d %B}", amount, Unit.CREDITS, link=link)
        for when, amount in sorted(late.items())
    )
    title = "Of this, came in late for earlier days"
    return (Group("late", title, lines[:MOST_LINES], link, max(len(lines) - MOST_LINES, 0)),) if lines else ()


def _standing(scope: ReportScope, day: date, account: CreditAccount, movements: Sequence[Movement]) -> Group:
    """The balance at the day's end, reckoned back from now; how long it lasts, at the pace of the last 30 days."""
    after = sum(found.amount for found in movements if found.recorded_on > day)
    spent: dict[date, int] = defaultdict(int)
    for found in movements:
        if found.kind in _SPENDING:
            spent[found.recorded_on] -= found.amount
    first = min((when for when, amount in spent.items() if amount > 0), default=None)
    now = clock.now()
    today = in_zone(now, zone_of(scope.zone)).date()
    outlook = runway_of(
        account,
        now=now,
        burned=sum(amount for when, amount in spent.items() if when > today - WINDOW_DAYS * _DAY),
        observed_days=(today - first).days + 1 if first else 0,
    )
    link = page_link(scope, "billing-credits")
    a_day = show_micro(round_to_quantum(outlook.a_day, 1, MICRO // 100))
    pace = f"at {a_day} credits a day" if outlook.a_day else "nothing is spent"
    is_short = outlook.days is not None and outlook.days <= 7  # noqa: PLR2004 - as the default of alerts
    return Group(
        "standing",
        "Balance",
        (
            Line("balance", "Balance at the end of the day", account.balance - after, Unit.CREDITS, link=link),
            Line("held", "Held for runs in progress", account.held, Unit.CREDITS, link=link),
            Line("runway", "Lasts for", outlook.days, Unit.DAYS, link=link, note=pace, is_alarm=is_short),
        ),
    )


def _ending(scope: ReportScope, grants: QuerySet[CreditGrant]) -> Group:
    now = clock.now()
    soon = grants.filter(is_spent=False, expires_at__gt=now, expires_at__lte=now + _SOON)
    shown = soon.select_related("account__organization").order_by("expires_at", "pk")[:MOST_LINES]
    link = page_link(scope, "billing-credits") or staff_link("credits_creditgrant")
    lines = tuple(
        Line(
            str(grant.pk),
            f"{grant.get_grant_type_display()}{_whose(scope, grant.account)}",
            grant.remaining,
            Unit.CREDITS,
            link=link if not scope.is_platform else staff_link("credits_creditgrant", grant.pk),
            note=f"ends on {in_zone(grant.expires_at, zone_of(scope.zone)):%-d %B %Y}" if grant.expires_at else "",
        )
        for grant in shown
    )
    title = "Grants that end within 14 days"
    return Group("ending", title, lines, link, _left_out(soon, lines), "No grant ends within 14 days.")


def _old_holds(scope: ReportScope, holds: QuerySet[Hold]) -> Group:
    old = holds.filter(status=HoldStatus.OPEN, created_at__lt=clock.now() - _DAY)
    shown = old.select_related("account__organization", "product").order_by("created_at", "pk")[:MOST_LINES]
    link = page_link(scope, "billing-credits") or staff_link("credits_hold")
    lines = tuple(
        Line(
            str(hold.pk),
            f"{hold.product.name}, {name_operation(hold.operation)}{_whose(scope, hold.account)}",
            hold.amount,
            Unit.CREDITS,
            link=link,
            note=f"since {in_zone(hold.created_at, zone_of(scope.zone)):%-d %B, %H:%M}",
            is_alarm=True,
        )
        for hold in shown
    )
    return Group("old_holds", "Holds older than a day", lines, link, _left_out(old, lines))


def _whose(scope: ReportScope, account: CreditAccount) -> str:
    return f" of {account.organization.name}" if scope.is_platform else ""


def _left_out(found: QuerySet[CreditGrant] | QuerySet[Hold], lines: Sequence[Line]) -> int:
    if len(lines) < MOST_LINES:
        return 0
    count: int = found.aggregate(count=Count("pk"))["count"]
    return count - len(lines)
