"""A cutover check that staff ask for: its lines appear as they are found, and what a dead one left is closed (02)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from pytest_django.fixtures import Settings
from pytest_django.live_server_helper import LiveServer

from apps.backoffice.cutover import check
from apps.backoffice.cutover.runs import cutover_run_execute
from apps.backoffice.jobs import sweep_cutovers
from apps.core import clock
from apps.core.enums import Role
from apps.core.errors import ForbiddenError, NotFoundError
from apps.core.ids import ProductId
from apps.tenants.models import CutoverCheck, CutoverRun, Organization
from apps.tenants.services import cutover_run_request
from apps.tenants.services.cutover import CheckLine, cutover_stage_open
from tests.backoffice.people import client_of
from tests.contexts import console_context, staff_context
from tests.credits.cast import Place, make_place

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def place(settings: Settings, live_server: LiveServer) -> Place:
    settings.OUTBOUND_ALLOWLIST = ["127.0.0.1"]
    settings.PUBLIC_URL = live_server.url
    return make_place("red")


@pytest.mark.slow
def test_a_check_is_asked_for_followed_and_kept(place: Place) -> None:
    client = client_of(Role.PLATFORM_ADMIN)
    verb = reverse("admin:tenants_product_check_cutover", args=(place.product.pk,))
    for _ in range(2):  # the second click finds the first one's
        assert client.post(verb, {"reason": "the cutover", "step": "apply"}).status_code == 302
    run = CutoverRun.objects.get()
    url = reverse("admin:tenants_cutoverrun_change", args=(run.pk,))
    waiting = client.get(url).content.decode()
    assert 'hx-trigger="every 2s"' in waiting
    assert "ch-progress-failed" not in waiting
    done = cutover_run_execute(console_context(), run.pk)
    assert done is not None
    assert (done.status, done.error) == ("failed", "")
    assert [line["outcome"] for line in done.lines] == [*["passed"] * 5, "failed", "passed", "passed", "nothing"]
    assert done.check_made == CutoverCheck.objects.get()
    assert done.check_made.lines == done.lines
    answer = client.get(url, headers={"HX-Request": "true"})
    assert answer["HX-Refresh"] == "true"
    # Its bar is red beside "Failed".
    assert "ch-progress-failed" in answer.content.decode()
    assert "never reported its members as a whole" in answer.content.decode()
    assert cutover_run_execute(console_context(), run.pk) is None


def test_a_run_shows_the_lines_that_it_has_come_to(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    product_id = ProductId(place.product.pk)
    run = cutover_run_request(console_context(), product_id=product_id, base_url="http://127.0.0.1:1", reason="now")
    seen: list[int] = []

    def lines(*_: Any) -> Any:
        seen.append(len(CutoverRun.objects.get().lines))
        yield CheckLine("Whatever", "passed")
        seen.append(len(CutoverRun.objects.get().lines))
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(check, "data_lines", lines)
    done = cutover_run_execute(console_context(), run.pk)
    assert done is not None
    assert (done.status, done.error) == ("failed", "RuntimeError: the disk is full")
    assert seen == [1, 2]  # the first step through the API fails, and is told before the data is looked at
    assert not CutoverCheck.objects.exists()


def test_what_a_killed_check_left_is_closed_by_the_next_and_its_run_handed_out(place: Place) -> None:
    stage = cutover_stage_open(console_context(), product=place.product)
    fresh = cutover_stage_open(console_context(), product=place.product)
    Organization.objects.filter(pk=stage.pk).update(created_at=clock.now() - timedelta(minutes=16))
    product_id = ProductId(place.product.pk)
    run = cutover_run_request(console_context(), product_id=product_id, base_url="http://127.0.0.1:1", reason="again")
    CutoverRun.objects.update(status="running", lease_expires_at=clock.now())
    counts = sweep_cutovers(console_context(), slot=clock.now(), organization_id=None, include_demo=False)
    assert counts == {"dropped": 0, "handed_out": 1}
    done = cutover_run_execute(console_context(), run.pk)
    assert done is not None
    assert done.lines[0]["outcome"] == "failed"  # nobody answers there
    opened = Organization.objects.filter(is_synthetic=True, closed_at=None)
    assert list(opened) == [fresh]
    with pytest.raises(ForbiddenError):
        cutover_run_request(staff_context(), product_id=product_id, base_url="x", reason="mine")
    with pytest.raises(NotFoundError):
        cutover_run_request(console_context(), product_id=ProductId(stage.pk), base_url="x", reason="none")
