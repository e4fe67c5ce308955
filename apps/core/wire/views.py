"""The base of all views of the internal API: JSON in, JSON out, nothing unknown taken.

Who may call is decided by the authentication and permission classes of the settings, which look up the operation that
the view names for the method.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.core.errors import FieldError, MalformedRequestError
from apps.core.operations import OPERATIONS, Operation
from apps.core.wire.parser import DEFAULT_BODY_LIMIT, StrictJSONParser
from apps.core.wire.refusals import FieldRefusedError, unknown_name
from apps.core.wire.serializers import StrictSerializer

_METHODS = ("get", "post", "put", "patch", "delete")
_BODILESS = frozenset({"GET", "DELETE"})


class JSONOnlyNegotiation(BaseContentNegotiation):
    """We answer JSON whatever the caller accepts, so that an error is never hidden behind a 406."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        media_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == media_type), None)

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


class InternalView(APIView):
    """Subclass with `operations` (HTTP method -> operation name) and one `@documented` function for each method.

    A method without an operation, or an operation that the registry does not know, fails when the class is made.
    `query_parameters` names what each method takes in the query; anything else there is refused, as is a body where
    none is meant.
    """

    http_method_names = list(_METHODS)  # noqa: RUF012 - Django declares it so
    renderer_classes = (JSONRenderer,)
    parser_classes = (StrictJSONParser,)
    content_negotiation_class = JSONOnlyNegotiation

    operations: ClassVar[Mapping[str, str]] = {}
    query_parameters: ClassVar[Mapping[str, frozenset[str]]] = {}
    body_limit: ClassVar[int] = DEFAULT_BODY_LIMIT
    # Where a deletion owes its reason (spec 09).
    deletes_with_body: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        handled = {method.upper() for method in _METHODS if hasattr(cls, method)}
        if handled != set(cls.operations):
            raise ImproperlyConfigured(
                f"{cls.__name__} handles {sorted(handled)} and names operations for {sorted(cls.operations)}."
            )
        for method, name in cls.operations.items():
            if name not in OPERATIONS:
                raise ImproperlyConfigured(f"{cls.__name__}: {method} names the unknown operation {name!r}.")
            documented_as = getattr(getattr(cls, method.lower()), "documented_operation", None)
            if documented_as != name:
                raise ImproperlyConfigured(f"{cls.__name__}: {method} is {name!r}, documented as {documented_as!r}.")

    def operation_of(self, request: Request) -> Operation:
        """The operation that this request asks for; `MethodNotAllowed` (405) where the view has none for the method."""
        name = self.operations.get(str(request.method))
        if name is None:
            raise MethodNotAllowed(str(request.method))
        return OPERATIONS[name]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        self.operation_of(request)
        self._check_query(request)
        is_bodiless = request.method in _BODILESS and not (request.method == "DELETE" and self.deletes_with_body)
        if is_bodiless and request.stream is not None:
            raise MalformedRequestError(f"{request.method} takes no body here; leave it out.")

    def read(self, serializer_class: type[StrictSerializer], request: Request) -> dict[str, Any]:
        """The body's validated values. A wrong body is refused with every field that is wrong (400, or 422)."""
        # A body without its length would be dropped, so it is never left out.
        may_be_left_out = serializer_class.may_be_left_out() and "Transfer-Encoding" not in request.headers
        if request.stream is None and not may_be_left_out:
            raise MalformedRequestError("The request has no body. Send a JSON object with its Content-Length.")
        try:
            return serializer_class.read(request.data)
        except FieldRefusedError as refusal:
            raise refusal.as_error() from refusal

    def _check_query(self, request: Request) -> None:
        known = self.query_parameters.get(str(request.method), frozenset())
        errors: list[FieldError] = []
        for name, values in request.query_params.lists():
            if name not in known:
                errors.append(unknown_name(name, sorted(known), what="query parameter"))
            elif len(values) > 1:
                errors.append(FieldError(name, "given_twice", f"the query parameter `{name}` may stand only once."))
        if errors:
            raise FieldRefusedError(malformed=errors[:20]).as_error()
