"""The base class of all record pages: a list, and a read-only page with verbs (spec 10, principle 10).

There are no add, change or delete forms, and no URLs for them. Reading needs the page's `operation`; each verb names
its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast
from urllib.parse import urlencode
from uuid import UUID

from django.contrib.admin import ShowFacets
from django.contrib.admin.views.main import ORDER_VAR, SEARCH_VAR, ChangeList
from django.core.paginator import Paginator
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.views.decorators.http import require_http_methods, require_safe

from apps.backoffice.cells import BACK, page_url
from apps.backoffice.filters import ORGANIZATION_VAR, StaffFilter
from apps.backoffice.list_files import EXPORT_OPERATION, FileColumns, list_file
from apps.backoffice.navigation import return_url
from apps.backoffice.paginator import BoundedPaginator
from apps.backoffice.panels import Fact, Panel
from apps.backoffice.saved_filters import list_context
from apps.backoffice.staff import may, require_may
from apps.backoffice.verbs import Verb, buttons, run_verb
from apps.core.emails import email_to_find
from apps.core.replica import history_source

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin as ThemedModelAdmin
else:
    from unfold.admin import ModelAdmin as ThemedModelAdmin

RecordT = TypeVar("RecordT", bound=Model)


class StaffChangeList(ChangeList):
    """A list in the order that the page declares, or by a column of its `sortable_by`, which an index serves."""

    def get_queryset(self, request: HttpRequest, exclude_parameters: Any = None) -> QuerySet[Any]:
        # The file of the list has the same rows.
        page = cast("StaffAdmin[Any]", self.model_admin)
        rows = super().get_queryset(request, exclude_parameters)
        # Whoever asks for one organization, or for one id, gets it whatever it is.
        is_named = bool(request.GET.get(ORGANIZATION_VAR)) or _uuid_of(request.GET.get(SEARCH_VAR, "")) is not None
        rows = rows if is_named else rows.filter(page.listed)
        return rows.using(history_source(request).database) if page.is_history else rows

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        # The key comes last, so that rows that are equal otherwise keep their places from page to page.
        chosen = self._chosen_order(self.params.get(ORDER_VAR, ""))
        return [*([chosen] if chosen else self.model_admin.get_ordering(request)), "pk"]

    def _chosen_order(self, asked: str) -> str:
        """The order by the first of the asked columns (`-3.1`: the fourth, descending), empty for another column."""
        _, sign, place = asked.partition(".")[0].rpartition("-")
        name = {str(number): str(column) for number, column in enumerate(self.list_display)}.get(place, "")
        if name not in (self.model_admin.sortable_by or ()):
            return ""
        return f"{sign}{getattr(self.model_admin, name).admin_order_field}"

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        page = cast("StaffAdmin[Any]", self.model_admin)
        self.result_list = page.prepare_rows(list(self.result_list))


class StaffAdmin(ThemedModelAdmin[RecordT]):
    """Subclass with `operation`, `facts` and `panels`; list columns and filters as in Django.

    Search matches exact ids (`search_ids`), indexed prefixes (`search_prefixes`), or prefixes of names in any case
    (`search_names`). It never matches in the middle of a text, which would scan the table.
    """

    operation: ClassVar[str]
    icon: ClassVar[str]
    about: ClassVar[str] = ""
    heading: ClassVar[str]
    search_ids: ClassVar[tuple[str, ...]] = ("pk",)
    search_prefixes: ClassVar[tuple[str, ...]] = ()
    search_names: ClassVar[tuple[str, ...]] = ()
    # Fields with few words, all known: an index finds those that begin with the term.
    search_words: ClassVar[dict[str, Callable[[], Iterable[str]]]] = {}

    # Which records the list and its file show, unless they are asked for one organization or one id; the page of any
    # other can be opened by its address.
    listed: ClassVar[Q] = Q()

    # Whether the list and its file may be some seconds old. The page of one record never is.
    is_history: ClassVar[bool] = False

    # With columns, the list has a link to the same rows as CSV.
    file_columns: ClassVar[FileColumns] = {}

    # Our own rows; Unfold's actions stay empty.
    verbs: ClassVar[Sequence[Verb]] = ()
    actions = None
    paginator = cast("type[Paginator[Any]]", BoundedPaginator)
    show_full_result_count = False
    show_facets = ShowFacets.NEVER
    list_per_page = 50
    list_max_show_all = 0
    list_filter_submit = True
    # Only columns whose `display(ordering=...)` an index serves.
    sortable_by: ClassVar[Any] = ()
    list_before_template = "backoffice/list_intro.html"

    def title_of(self, record: RecordT) -> str:
        """The heading of the record's page."""
        return str(record)

    def facts(self, record: RecordT) -> list[Fact]:
        """The facts on the record's page."""
        raise NotImplementedError

    def panels(self, request: HttpRequest, record: RecordT) -> list[Panel]:
        """The tables below the facts."""
        return []

    def extra_context(self, request: HttpRequest, record: RecordT) -> dict[str, Any]:
        """More variables for the page's template."""
        return {}

    def badges(self, record: RecordT) -> list[Any]:
        """Badges below the heading."""
        return []

    def notices(self, request: HttpRequest) -> list[str]:
        """What is said once above the list."""
        return []

    def prepare_rows(self, rows: list[Any]) -> list[Any]:
        """Read at once what the columns of all these rows show."""
        return rows

    # --- Who may ---------------------------------------------------------------------------------------------------
    def has_view_permission(self, request: HttpRequest, obj: RecordT | None = None) -> bool:
        return may(request, self.operation)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: RecordT | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: RecordT | None = None) -> bool:
        return False

    def has_module_permission(self, request: HttpRequest) -> bool:
        return may(request, self.operation)

    # --- Addresses -------------------------------------------------------------------------------------------------
    @property
    def route_prefix(self) -> str:
        """The prefix of this page's route names."""
        return f"{self.opts.app_label}_{self.opts.model_name}"

    def verb_target(self, record: RecordT) -> Any:
        """What the page's verbs act on."""
        return record

    def further_routes(self) -> dict[str, str]:
        """Routes added in `get_urls`, with the operation that each needs."""
        return {}

    def get_urls(self) -> list[URLPattern]:
        guarded = self.admin_site.admin_view
        verbs = [
            path(
                f"<uuid:object_id>/{verb.url_path}/",
                guarded(require_http_methods(["GET", "POST"])(self._view_of(verb))),
                name=f"{self.route_prefix}_{verb.name}",
            )
            for verb in self.verbs
        ]
        file = guarded(require_safe(self.list_file))
        return [
            path("", guarded(require_safe(self.changelist_view)), name=f"{self.route_prefix}_changelist"),
            *([path("export.csv", file, name=f"{self.route_prefix}_list_file")] if self.file_columns else []),
            *verbs,
            path("<uuid:object_id>/", guarded(require_safe(self.page)), name=f"{self.route_prefix}_change"),
        ]

    def _view_of(self, verb: Verb) -> Callable[..., HttpResponse]:
        def view(request: HttpRequest, object_id: UUID) -> HttpResponse:
            require_may(request, verb.operation)
            record = self.record_or_404(request, object_id)
            done_url = return_url(request, record, self.url_after(verb, record))
            return run_verb(request, verb, self.verb_target(record), done_url=done_url)

        return view

    def url_of_verb(self, verb: Verb, record: Model) -> str:
        """The address of the verb's dialog."""
        return reverse(f"admin:{self.route_prefix}_{verb.name}", args=(record.pk,))

    def url_after(self, verb: Verb, record: RecordT) -> str:
        """Where the verb's dialog leads, unless it was opened on another page."""
        return self.url_of(record)

    def url_of(self, record: Model) -> str:
        """The address of the record's page."""
        return page_url(record)

    # --- The list --------------------------------------------------------------------------------------------------
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if not self.has_view_permission(request):
            return super().changelist_view(request, extra_context)
        parameters = [name for declared in self.declared_filters() for name in declared.parameters]
        saved = list_context(request, self.route_prefix, parameters)
        return super().changelist_view(request, {"notices": self.notices(request), **saved, **(extra_context or {})})

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return StaffChangeList

    def list_file(self, request: HttpRequest) -> HttpResponseBase:
        """The rows of the filter as a CSV file."""
        require_may(request, EXPORT_OPERATION)
        require_may(request, self.operation)
        return list_file(request, self)

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Allow only declared filters: Django would accept any field, even the hash of a password."""
        return any(lookup in declared.parameters for declared in self.declared_filters())

    def declared_filters(self) -> list[type[StaffFilter]]:
        """The filters of the list, typed as our own class."""
        return [cast("type[StaffFilter]", declared) for declared in self.list_filter]

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        # Only whether there are any counts: `get_search_results` decides how they are searched.
        return (*self.search_ids, *self.search_prefixes, *self.search_names, *self.search_words)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[RecordT], search_term: str
    ) -> tuple[QuerySet[RecordT], bool]:
        term = search_term.strip()
        return (queryset.filter(self.search_condition(term)) if term else queryset), False

    def search_condition(self, term: str) -> Q:
        """The condition for records that match the term."""
        key = _uuid_of(term)
        if key is not None:
            # No name begins with a whole UUID: leaving the names out saves their indexes.
            return Q(*[Q(**{field: key}) for field in self.search_ids], _connector=Q.OR)
        beginnings = [Q(**{f"{field}__startswith": email_to_find(term)}) for field in self.search_prefixes]
        names = [Q(**{f"{field}__istartswith": term}) for field in self.search_names]
        known = [
            Q(**{f"{field}__in": [word for word in words() if word.startswith(email_to_find(term))]})
            for field, words in self.search_words.items()
        ]
        conditions = [*beginnings, *names, *known]
        return Q(*conditions, _connector=Q.OR) if conditions else Q(pk__in=())

    # --- The page of one record ------------------------------------------------------------------------------------
    def record_or_404(self, request: HttpRequest, object_id: object) -> RecordT:
        """The record, as the list would load it."""
        record = self.get_queryset(request).filter(pk=object_id).first()
        if record is None:
            raise Http404(f"There is no {self.opts.verbose_name} {object_id}.")
        return record

    def page(self, request: HttpRequest, object_id: UUID) -> HttpResponse:
        """Show one record with the verbs that the user may use."""
        require_may(request, self.operation)
        record = self.record_or_404(request, object_id)
        # Unfold's templates resolve `admin:` by it.
        request.current_app = self.admin_site.name
        back = request.GET.get(BACK, "")
        # Whoever came from another page is led there by the dialogs too.
        query = f"?{urlencode({BACK: back})}" if back else ""
        context = {
            **self.admin_site.each_context(request),
            "title": self.title_of(record),
            "opts": self.opts,
            "original": record,
            "page": self,
            "badges": self.badges(record),
            "facts": self.facts(record),
            "panels": self.panels(request, record),
            "buttons": buttons(
                request, self.verbs, self.verb_target(record), lambda verb: f"{self.url_of_verb(verb, record)}{query}"
            ),
            **self.extra_context(request, record),
        }
        return TemplateResponse(request, "backoffice/record.html", context)


def _uuid_of(term: str) -> UUID | None:
    try:
        return UUID(term)
    except ValueError:
        return None
