"""Sample credits: policies, grants, weeks of consumption, a hold, a reversal, denials and disagreements (spec 05).

Everything goes through the services. Each part is created once, so that seeding again changes nothing. Past events are
recorded at their own time, oldest first, so that the ledger looks as if it had grown.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from msgspec import structs

from apps.backoffice.seeding.data import seed_id
from apps.backoffice.seeding.payments import MONTH, PERIOD_AGE
from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.context import ExecutionContext
from apps.core.errors import CountinghouseError
from apps.core.ids import OrganizationId, ProductId
from apps.credits.contracts import AccountRef, Consumption, Question
from apps.credits.enums import AccountType, GrantType, OnInsufficient
from apps.credits.models import CreditAccount, CreditEntry, CreditGrant, CreditPolicy, Hold, ShadowDisagreement
from apps.credits.rules.pricing import Price
from apps.credits.services import (
    credit_grant,
    credit_policy_draft,
    credit_policy_publish_prices,
    credits_authorize,
    credits_consume,
    entry_reverse,
    overdraft_set,
    price_preview_request,
)
from apps.credits.services.authorization import LocalDecision
from apps.credits.services.comparisons import comparisons_write
from apps.credits.services.grants import GrantParams
from apps.tenants.enums import BillingMode
from apps.tenants.models import Product
from apps.tenants.selectors.products import product_by_slug
from apps.tenants.services import product_billing_mode_change

REASON = "sample data"
DAYS, USES_A_DAY = PERIOD_AGE.days, 4
# Decisions of product blue that are the same as ours.
AGREE = 30
RED = (
    Price("fix_run", "run", 2_500_000),
    Price("review", "line", 1_500, minimum_charge=1_000_000, quantum=100_000),
    Price("scan", "file", 10_000, free_quantity=2_000 * MICRO, quantum=10_000),
)
BLUE = (Price("export", "page", 40_000, quantum=10_000), Price("import", "row", 200, minimum_charge=100_000))
# What the next policy of red would say: dearer runs, cheaper lines, less for free.
NEXT_RED = (
    Price("fix_run", "run", 2_750_000),
    Price("review", "line", 1_200, minimum_charge=1_000_000, quantum=100_000),
    Price("scan", "file", 10_000, free_quantity=1_000 * MICRO, quantum=10_000),
)
# Which operation, how many of it, and how the run ended: one after the other.
USES = (
    ("red", "fix_run", 1, "succeeded"),
    ("red", "scan", 180, "succeeded"),
    ("red", "review", 640, "succeeded"),
    ("blue", "export", 35, "succeeded"),
    ("red", "fix_run", 1, "failed"),
    ("blue", "import", 2_400, "succeeded"),
    ("red", "fix_run", 3, "succeeded"),
)


def seed_credits(context: ExecutionContext) -> None:
    """Create the sample credits; existing parts stay as they are."""
    products = {slug: product for slug in ("red", "blue") if (product := product_by_slug(slug)) is not None}
    began = clock.now() - timedelta(days=DAYS)
    for slug, prices in (("red", RED), ("blue", BLUE)):
        if not CreditPolicy.objects.filter(product=products[slug]).exists():
            with clock.as_of(began - timedelta(days=10)):
                credit_policy_publish_prices(context, product_id=ProductId(products[slug].pk), prices=prices)
    callers = {slug: _as_product(context, product) for slug, product in products.items()}
    _seed_team(context, callers)
    _seed_person(context, callers["red"])
    _seed_shadow_mode(context, products["blue"], callers["blue"])
    _seed_draft(context, products["red"])


def _as_product(context: ExecutionContext, product: Product) -> ExecutionContext:
    return replace(context, product_id=ProductId(product.pk))


def _seed_team(context: ExecutionContext, callers: dict[str, ExecutionContext]) -> None:
    """Northwind: three grants, weeks of consumption, one reversal, one hold, a few denials."""
    account_id = seed_id("organization:northwind")
    if CreditGrant.objects.filter(account_id=account_id).exists():
        return
    now = clock.now()
    with clock.as_of(now - timedelta(days=DAYS)):
        plan = GrantParams(GrantType.PLAN, 250 * MICRO, 50, expires_at=now - PERIOD_AGE + MONTH)
        _grant(context, account_id, "plan", plan)
        _grant(context, account_id, "buy", GrantParams(GrantType.PURCHASED, 1_000 * MICRO, note="Invoice 2041"))
        bonus = GrantParams(GrantType.BONUS, 75 * MICRO, 200, expires_at=now + timedelta(days=40), note="Welcome back")
        _grant(context, account_id, "bonus", bonus)
    _consume_weeks(callers, account_id, seed_id("olivia@northwind.example"), "northwind-production", USES_A_DAY)
    charged = CreditEntry.objects.filter(account_id=account_id, operation="fix_run", amount__lt=0).order_by("sequence")
    entry_reverse(context, entry_id=charged[0].pk, key="seed-reverse", reason="The run broke on our side; ticket 4711.")
    overdraft_set(context, account_id=account_id, limit=20 * MICRO, reason="Agreed with the customer for November.")
    asked = _question(account_id, "fix_run", 2, "olivia@northwind.example", "northwind-production")
    if not Hold.objects.filter(account_id=account_id).exists():
        credits_authorize(callers["red"], question=asked, hold_ttl=timedelta(hours=6), key="seed-hold")
    # Denials with their receipts: a stranger, a suspended workspace, an operation that no policy knows.
    for question in (
        structs.replace(asked, user_id=seed_id("dana@demo.example")),
        structs.replace(asked, workspace_id=seed_id("workspace:northwind-research")),
        structs.replace(asked, operation="fix_runs"),
    ):
        credits_authorize(callers["red"], question=question)


def _seed_person(context: ExecutionContext, red: ExecutionContext) -> None:
    """Inès: a used-up trial, a refusal, and an uncovered charge."""
    account_id = seed_id("organization:ines-ibarra")
    if CreditGrant.objects.filter(account_id=account_id).exists():
        return
    now = clock.now()
    with clock.as_of(now - timedelta(days=6)):
        wish = GrantParams(GrantType.TRIAL, 12 * MICRO, expires_at=now + timedelta(days=20))
        _grant(context, account_id, "trial", wish)
    for place, (quantity, on_insufficient) in enumerate(
        ((2, OnInsufficient.REJECT), (2, OnInsufficient.REJECT), (8, OnInsufficient.REJECT), (1, OnInsufficient.RECORD))
    ):
        question = _question(account_id, "fix_run", quantity, "ines@example.com", "ines")
        item = Consumption(f"seed-ines-{place}", question, "succeeded", on_insufficient=on_insufficient)
        with clock.as_of(now - timedelta(days=4 - place)), suppress(CountinghouseError):
            credits_consume(red, consumption=item)


def _seed_shadow_mode(context: ExecutionContext, blue: Product, caller: ExecutionContext) -> None:
    """Put product blue into shadow mode and send decisions: most agree, some differ in each way there is."""
    if ShadowDisagreement.objects.filter(product=blue).exists():
        return
    if blue.billing_mode == BillingMode.LOCAL:
        product_billing_mode_change(
            context, product_id=ProductId(blue.pk), billing_mode=BillingMode.SHADOW, reason=REASON
        )
    account_id = seed_id("organization:northwind")
    export = _question(account_id, "export", 10, "olivia@northwind.example", "northwind-production")
    for question, local in (
        (export, LocalDecision("deny", 0, 400_000)),
        (export, LocalDecision("allow", 900 * MICRO, 500_000)),
        (export, LocalDecision("allow", 900 * MICRO, 400_000)),
        (export, LocalDecision("allow", 890 * MICRO, 400_000)),
        (structs.replace(export, operation="render"), LocalDecision("allow", 900 * MICRO, 300_000)),
        (structs.replace(export, user_id=seed_id("dana@demo.example")), LocalDecision("allow", 900 * MICRO, 400_000)),
    ):
        credits_authorize(caller, question=question, local=local)
    agreeing = LocalDecision("allow", CreditAccount.objects.get(pk=account_id).balance, 400_000)
    for _ in range(AGREE):
        credits_authorize(caller, question=export, local=agreeing)
    # This program ends before the next seconds' comparisons would write what it has counted.
    comparisons_write()


def _seed_draft(context: ExecutionContext, red: Product) -> None:
    """Draft the next prices of red, and ask for their preview, which the first worker computes."""
    if CreditPolicy.objects.filter(product=red).count() == 1:
        reason = "Prices of next quarter."
        draft = credit_policy_draft(context, product_id=ProductId(red.pk), prices=NEXT_RED, reason=reason)
        price_preview_request(context, policy_id=draft.pk, reason=reason)


def _consume_weeks(
    callers: dict[str, ExecutionContext], account_id: UUID, user_id: UUID, workspace: str, uses_a_day: int
) -> None:
    """Consume `uses_a_day` times a day, oldest first, each reported 40 seconds later."""
    now = clock.now()
    for place in range(DAYS * uses_a_day):
        slug, operation, quantity, outcome = USES[place % len(USES)]
        ago = timedelta(days=DAYS - 1 - place // uses_a_day, hours=8 - place % uses_a_day * 2, minutes=7 * place % 60)
        question = Question(
            AccountRef(AccountType.ORGANIZATION, account_id),
            operation,
            quantity * MICRO,
            user_id,
            seed_id(f"workspace:{workspace}"),
        )
        key = f"seed-{workspace}-{place}"
        item = Consumption(key, question, outcome, now - ago, run_id=f"run-{4100 + place}")
        with clock.as_of(now - ago + timedelta(seconds=40)), suppress(CountinghouseError):
            credits_consume(callers[slug], consumption=item)


def _question(account_id: UUID, operation: str, quantity: int, user: str, workspace: str) -> Question:
    account = AccountRef(AccountType.ORGANIZATION, account_id)
    return Question(account, operation, quantity * MICRO, seed_id(user), seed_id(f"workspace:{workspace}"))


def _grant(context: ExecutionContext, account_id: UUID, name: str, wish: GrantParams) -> None:
    inside = context.within(OrganizationId(account_id), is_demo=False)
    account = AccountRef(AccountType.ORGANIZATION, account_id)
    credit_grant(inside, key=f"seed-{name}-{account_id}", account=account, params=wish)
