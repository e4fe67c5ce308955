"""`manage.py run_job`: runs one job now, in this process, as `console` (spec 09)."""

from __future__ import annotations

import getpass
import uuid
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.core.context import system_context
from apps.core.enums import AuthorizationSource
from apps.core.errors import CountinghouseError
from apps.core.ids import JobRunId, OrganizationId, RequestId
from apps.core.jobs import job_run_request
from apps.core.jobs.runs import job_run_execute
from apps.core.models import JobRun
from apps.core.states import JobRunStatus


class Command(BaseCommand):
    help = "Runs one job now, in this process."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", metavar="NAME")
        parser.add_argument("--organization", type=UUID, metavar="ID", help="Only this organization; else every one.")
        parser.add_argument("--include-demo", action="store_true", help="Demo tenants too, which jobs else skip.")

    def handle(self, *_: Any, name: str, organization: UUID | None, include_demo: bool, **__: Any) -> None:
        os_user = getpass.getuser()
        context = system_context(
            AuthorizationSource.CONSOLE, name=os_user, request_id=RequestId(f"console-{uuid.uuid4().hex}")
        )
        organization_id = OrganizationId(organization) if organization else None
        try:
            run = job_run_request(context, name=name, organization_id=organization_id, include_demo=include_demo)
        except CountinghouseError as error:
            raise CommandError(error.detail) from error
        if run.status == JobRunStatus.SKIPPED:
            self.stdout.write(f"{run.name} was not run. {run.error}")
            return
        self._show(job_run_execute(JobRunId(run.pk), source=AuthorizationSource.CONSOLE, name=os_user))

    def _show(self, run: JobRun | None) -> None:
        if run is None or run.status != JobRunStatus.SUCCEEDED:
            error = run.error if run else "another process took the run over"
            raise CommandError(f"The job did not succeed: {error}", returncode=1)
        self.stdout.write(
            f"{run.name} succeeded: " + (", ".join(f"{k} {v}" for k, v in run.counts.items()) or "nothing")
        )
