"""POST jobs/{name}:run and GET job-runs/{id}: started by a cron token, or by a person who reaches the job's gate."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.context import ExecutionContext
from apps.core.errors import NotFoundError, UnauthenticatedError
from apps.core.ids import JobRunId, OrganizationId
from apps.core.jobs import job_run_request
from apps.core.jobs.selectors import job_run_by_id
from apps.core.observability.requests import current_request_id
from apps.core.operations import require
from apps.core.wire.schema import CRON_OR_SESSION, Example, documented
from apps.core.wire.views import InternalView
from apps.tenants.access import job_context
from apps.tenants.api import examples
from apps.tenants.api.bodies import JobBody, JobRunAnswer, JobRunDetailAnswer
from apps.tenants.authentication import CronOrUserAuthentication
from apps.tenants.contracts import CronCaller, Person
from apps.tenants.permissions import CronOrAuthenticated


class JobEndpoint(InternalView):
    """Base of the endpoints that a cron token or a signed-in user may call; one permission class for all of them."""

    authentication_classes = (CronOrUserAuthentication,)
    permission_classes = (CronOrAuthenticated,)

    def context_for(self, request: Request, organization_id: OrganizationId | None) -> ExecutionContext:
        """The caller's context; whether it reaches the job's gate is asked where the job is known."""
        principal = request.auth
        if not isinstance(principal, Person | CronCaller):
            raise UnauthenticatedError("Send a cron token (Authorization: Bearer <token>), or sign in.")
        return job_context(principal, organization_id=organization_id, request_id=current_request_id())


class JobRunView(JobEndpoint):
    """Start a job: for one organization, or for every one."""

    operations: ClassVar[dict[str, str]] = {"POST": "jobs.start"}

    @documented(
        operation="jobs.start",
        request=JobBody,
        responses={202: JobRunAnswer},
        statuses=(404,),
        callers=CRON_OR_SESSION,
        examples=(Example("job", request=examples.JOB, answer=examples.JOB_ANSWER),),
    )
    def post(self, request: Request, name: str) -> Response:
        body = self.read(JobBody, request)
        organization_id = OrganizationId(body["organization_id"]) if "organization_id" in body else None
        context = self.context_for(request, organization_id)
        run = job_run_request(
            context,
            name=name,
            organization_id=organization_id,
            include_demo=body.get("include_demo", False),
        )
        answer = JobRunAnswer({"job_run_id": run.pk, "name": run.name, "status": run.status, "error": run.error})
        return Response(answer.data, status=202)


class JobRunDetailView(JobEndpoint):
    """What became of a job run."""

    operations: ClassVar[dict[str, str]] = {"GET": "jobs.read"}

    @documented(
        operation="jobs.read",
        responses={200: JobRunDetailAnswer},
        statuses=(404,),
        callers=CRON_OR_SESSION,
        examples=(Example("job run", answer=examples.JOB_RUN),),
    )
    def get(self, request: Request, job_run_id: UUID) -> Response:
        run = job_run_by_id(JobRunId(job_run_id))
        if run is None or (run.organization_id is None and _is_only_a_member(request)):
            # The very answer that a run of an invisible tenant gets.
            raise NotFoundError("There is nothing at this address, or it is not visible to you.")
        organization_id = OrganizationId(run.organization_id) if run.organization_id else None
        require(self.context_for(request, organization_id), "jobs.read")
        answer = JobRunDetailAnswer(
            {
                "job_run_id": run.pk,
                "name": run.name,
                "status": run.status,
                "slot": run.slot,
                "organization_id": run.organization_id,
                "counts": run.counts,
                "error": run.error,
                "started_at": run.started_at,
                "finished_at": run.finished_at,
            }
        )
        return Response(answer.data)


def _is_only_a_member(request: Request) -> bool:
    return isinstance(request.auth, Person) and request.auth.platform_role is None
