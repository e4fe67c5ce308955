"""The overview names the jobs that somebody should look at; the Jobs page has all of them."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from apps.core import clock
from apps.core.enums import AuthorizationSource, Role
from apps.core.jobs import jobs
from apps.core.models import JobRun
from apps.core.states import JobRunStatus, JobTrigger
from tests.backoffice.people import client_of
from tests.markup import Page

pytestmark = pytest.mark.django_db


def run_all(*, failed: str = "", never: str = "") -> None:
    now = clock.now()
    for definition in jobs():
        if definition.name != never:
            status = JobRunStatus.FAILED if definition.name == failed else JobRunStatus.SUCCEEDED
            JobRun.objects.create(
                name=definition.name,
                status=status,
                trigger=JobTrigger.CRON,
                actor_label="beat",
                role=Role.SYSTEM,
                authorization_source=AuthorizationSource.SCHEDULER,
                created_at=now,
                started_at=now,
                finished_at=now,
            )


def named(client: Client, url: str) -> set[str]:
    text = client.get(url).content.decode()
    return {definition.name for definition in jobs() if f'id="job-{definition.name}"' in text}


@pytest.mark.parametrize(
    ("failed", "never", "said"),
    [
        ("", "", f"The last run of each of {len(jobs())} jobs went well."),
        ("drain-outbox", "", f"1 of {len(jobs())} jobs failed last, or did not run."),
        ("drain-outbox", "verify-books", f"2 of {len(jobs())} jobs failed last, or did not run."),
    ],
)
def test_the_overview_shows_what_failed_or_never_ran(failed: str, never: str, said: str) -> None:
    run_all(failed=failed, never=never)
    client, overview = client_of(Role.PLATFORM_ADMIN), reverse("admin:index")
    assert named(client, overview) == {failed, never} - {""}
    assert said in Page(client.get(overview).content.decode()).text
    assert named(client, reverse("admin:jobs")) == {definition.name for definition in jobs()}
