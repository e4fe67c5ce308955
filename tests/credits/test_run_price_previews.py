"""Price previews as work: asked for twice, of a draft that changes or is published, by workers that die (spec 05)."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from apps.backoffice.jobs import sweep_cutovers
from apps.core import clock
from apps.core.amounts import MICRO
from apps.core.errors import ConflictError, ForbiddenError, NotFoundError
from apps.core.failpoints import Failpoint, armed
from apps.core.ids import ProductId
from apps.core.models import AuditEntry
from apps.credits.models import CreditPolicy, PricePreviewRun
from apps.credits.rules.price_preview import PricePreview
from apps.credits.rules.pricing import Price
from apps.credits.services import (
    credit_policy_draft,
    credit_policy_publish,
    credits_consume,
    price_preview_request,
    price_previews,
)
from apps.credits.services.price_previews import PREVIEWS, price_preview_execute
from tests.contexts import console_context
from tests.core.processes import dies_at, kill, started
from tests.core.threads import at_once
from tests.credits.cast import Place, consumption, make_place
from tests.sizes import size
from tests.subscriptions.cast import chance_of

pytestmark = pytest.mark.django_db(transaction=True)
KILLS = size(small=2, full=50)
PLACES: tuple[Failpoint, ...] = ("previews.after_claim", "previews.after_piece")


@pytest.fixture
def place() -> Place:
    place = make_place(whole_credits=100)
    for _ in range(3):
        credits_consume(place.context, consumption=consumption(place))
    return place


def draft_at(place: Place, unit_price: int) -> CreditPolicy:
    """A draft in which a run costs so many credits."""
    prices = [Price("fix_run", "run", unit_price * MICRO)]
    return credit_policy_draft(console_context(), product_id=ProductId(place.product.pk), prices=prices)


def ask(draft: CreditPolicy) -> PricePreviewRun:
    return price_preview_request(console_context(), policy_id=draft.pk)


def result(run: PricePreviewRun) -> PricePreview:
    run.refresh_from_db()
    assert run.status == "succeeded", run.error
    return msgspec.convert(run.result, PricePreview)


def test_a_preview_says_who_asked_of_which_draft_over_which_days(place: Place) -> None:
    draft = draft_at(place, 5)
    run = ask(draft)
    assert (run.status, run.draft_id, run.version, run.requested_by) == ("queued", draft.pk, 2, "console:tester")
    price_preview_execute(run.pk)
    preview = result(run)
    assert (preview.total.lines, preview.total.charged, preview.total.would_charge) == (3, 7_500_000, 15_000_000)
    assert (run.done, run.until - run.since > timedelta(days=30)) == (run.days, True)
    assert price_preview_execute(run.pk) is None
    assert AuditEntry.objects.filter(event="credit_policy.preview_requested", target_id=str(draft.pk)).count() == 1


def test_two_who_ask_at_once_get_one_preview(place: Place) -> None:
    draft = draft_at(place, 5)
    runs = at_once(4, lambda number: ask(draft))
    assert {run.pk for run in runs if isinstance(run, PricePreviewRun)} == {PricePreviewRun.objects.get().pk}
    assert [run for run in runs if isinstance(run, Exception)] == []
    done = at_once(3, lambda number: price_preview_execute(PricePreviewRun.objects.get().pk))
    assert sum(run is not None for run in done) == 1
    assert result(PricePreviewRun.objects.get()).total.lines == 3


def test_a_changed_draft_ends_the_preview_of_the_old_one(place: Place) -> None:
    old = ask(draft_at(place, 5))

    def change(name: Failpoint) -> None:
        if name == "previews.after_piece" and PricePreviewRun.objects.count() == 1:
            ask(draft_at(place, 10))

    with armed(change):
        assert price_preview_execute(old.pk) is None
    old.refresh_from_db()
    assert (old.status, old.result, old.error) == ("discarded", None, "The draft was changed.")
    new = PricePreviewRun.objects.exclude(pk=old.pk).get()
    price_preview_execute(new.pk)
    assert result(new).total.would_charge == 30_000_000


def test_a_draft_that_is_gone_needs_no_preview(place: Place) -> None:
    run = ask(draft_at(place, 5))
    draft_at(place, 10)
    price_preview_execute(run.pk)
    run.refresh_from_db()
    assert (run.status, run.error) == ("discarded", "The draft was changed.")


def test_a_draft_published_meanwhile_is_previewed_to_the_end(place: Place) -> None:
    draft = draft_at(place, 5)
    run = ask(draft)
    with armed(lambda name: publish(draft) if name == "previews.after_claim" else None):
        price_preview_execute(run.pk)
    assert CreditPolicy.objects.get(pk=draft.pk).status == "published"
    assert result(run).total.would_charge == 15_000_000


def publish(draft: CreditPolicy) -> None:
    credit_policy_publish(console_context(), policy_id=draft.pk)


def test_who_may_not_draft_may_not_ask_and_only_a_draft_has_a_preview(place: Place) -> None:
    draft = draft_at(place, 5)
    with pytest.raises(ForbiddenError):
        price_preview_request(place.context, policy_id=draft.pk)
    with pytest.raises(NotFoundError):
        price_preview_request(console_context(), policy_id=uuid.uuid4())
    publish(draft)
    with pytest.raises(ConflictError):
        ask(draft)
    assert not PricePreviewRun.objects.exists()


@pytest.mark.faults
def test_killed_anywhere_it_is_begun_anew_and_ends_the_same(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    # A dead worker's preview can be taken over at once, as often as this test kills.
    quick = replace(PREVIEWS, lease=timedelta(0), beat=timedelta(minutes=1))
    monkeypatch.setattr(price_previews, "PREVIEWS", quick)
    monkeypatch.setattr(price_previews, "_MOST_CLAIMS", 1_000)
    run, chance = ask(draft_at(place, 5)), chance_of(7)
    for name in PLACES:
        assert dies_at(name, lambda: price_preview_execute(run.pk)), name
    for _ in range(KILLS):
        process = started(lambda: price_preview_execute(run.pk))
        process.join(chance.uniform(0, 0.05))
        kill(process)
    price_preview_execute(run.pk)
    assert result(run).total.would_charge == 15_000_000


def test_a_preview_whose_message_was_lost_is_handed_out_again(place: Place) -> None:
    run = ask(draft_at(place, 5))
    assert list(PREVIEWS.overdue()) == []
    PricePreviewRun.objects.update(lease_expires_at=clock.real_now())
    counts = sweep_cutovers(console_context(), slot=clock.now(), organization_id=None, include_demo=False)
    assert counts["handed_out"] == 1
    price_preview_execute(run.pk)
    assert list(PREVIEWS.overdue()) == []


def test_what_workers_die_of_is_not_tried_for_ever(place: Place) -> None:
    run = ask(draft_at(place, 5))
    PricePreviewRun.objects.update(status="running", claims=5, lease_expires_at=clock.real_now())
    price_preview_execute(run.pk)
    run.refresh_from_db()
    assert (run.status, run.error) == ("failed", "5 workers ended before they were through.")
    again = ask(CreditPolicy.objects.get(status="draft"))
    assert again.pk != run.pk


def test_a_preview_that_goes_wrong_says_so_and_can_be_asked_for_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = draft_at(place, 5)
    run = ask(draft)

    def fail(*args: object) -> None:
        raise ValueError("out of luck")

    with monkeypatch.context() as broken:
        broken.setattr(price_previews, "price_preview", fail)
        price_preview_execute(run.pk)
    run.refresh_from_db()
    assert (run.status, run.error) == ("failed", "ValueError: out of luck")
    again = ask(draft)
    price_preview_execute(again.pk)
    assert result(again).total.lines == 3
