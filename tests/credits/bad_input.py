"""The bad input of credits as a table: what is sent, and what must be answered (spec 05, Calls; spec 09, HTTP)."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from apps.core import clock
from apps.core.wire.values import format_time

Body = dict[str, Any]
GROUPS = ("quantities", "times", "names", "holds", "reversals", "keys", "batches", "shapes")


@dataclass(frozen=True, slots=True)
class Scene:
    """What the table's requests speak of, as it stands before each of them."""

    account: Body
    closed: Body
    hold: str
    other_hold: str
    ended_hold: str
    entry: str
    used_key: str
    reversed_entry: str
    grant_entry: str
    free_entry: str


@dataclass(frozen=True, slots=True)
class Case:
    """One request, and its answer: status, code, the field that is named, and words of the remedy."""

    name: str
    path: str
    body: Body | str
    status: int
    code: str
    field: str | None
    remedy: str


def run(scene: Scene, **values: Any) -> Body:
    """A consumption of one fix run, or as told."""
    base = {"account": scene.account, "operation": "fix_run", "quantity": "1", "outcome": "succeeded"}
    return {"idempotency_key": uuid.uuid4().hex, **base, **values}


def question(scene: Scene, **values: Any) -> Body:
    """What authorize is asked."""
    return {"account": scene.account, "operation": "fix_run", "quantity": "1", **values}


def grant(scene: Scene, **values: Any) -> Body:
    """A grant of ten credits."""
    base = {"account": scene.account, "grant_type": "bonus", "amount": "10"}
    return {"idempotency_key": uuid.uuid4().hex, **base, **values}


def capture(**values: Any) -> Body:
    return {"idempotency_key": uuid.uuid4().hex, "outcome": "succeeded", **values}


def reverse(**values: Any) -> Body:
    return {"idempotency_key": uuid.uuid4().hex, "reason": "our fault", **values}


_PLAIN = "plain decimal number as text"
_NUMBERS: tuple[tuple[Any, int, str, str], ...] = (
    ("0", 422, "out_of_range", "0."),
    ("0.000000", 422, "out_of_range", "0."),
    ("-1", 422, "out_of_range", ""),
    ("-0", 400, "not_a_decimal", 'write "0"'),
    ("NaN", 400, "not_a_decimal", _PLAIN),
    ("Infinity", 400, "not_a_decimal", _PLAIN),
    ("1e3", 400, "not_a_decimal", _PLAIN),
    ("1.0000001", 400, "not_a_decimal", "at most 6 places"),
    ("1,5", 400, "not_a_decimal", _PLAIN),
    ("\u0661", 400, "not_a_decimal", "ASCII"),
    (" 1", 400, "not_a_decimal", _PLAIN),
    ("", 400, "not_a_decimal", _PLAIN),
    ("1000000000.000001", 422, "out_of_range", "1000000000"),
    ("9" * 39, 422, "out_of_range", "1000000000"),
    (1.5, 400, "wrong_type", "text"),
    (1, 400, "wrong_type", "text"),
    (True, 400, "wrong_type", "text"),
    ([], 400, "wrong_type", "text"),
)


def quantities(scene: Scene) -> Iterator[Case]:
    """Every impossible number, wherever a number is taken."""
    places: tuple[tuple[str, str, Callable[..., Body]], ...] = (
        ("credits:consume", "quantity", lambda **v: run(scene, **v)),
        ("credits:authorize", "quantity", lambda **v: question(scene, **v)),
        (f"holds/{scene.hold}:capture", "quantity", capture),
        ("credits:grant", "amount", lambda **v: grant(scene, **v)),
        (f"entries/{scene.entry}:reverse", "amount", reverse),
    )
    for path, name, body in places:
        for value, status, code, remedy in _NUMBERS:
            yield Case(f"{name} {value!r}", path, body(**{name: value}), status, code, name, remedy)
        nan = str(body(**{name: "?"})).replace("'?'", "NaN").replace("'", '"')
        yield Case(f"{name} NaN as a number", path, nan, 400, "malformed_request", None, "NaN is not a JSON number")


def times(scene: Scene) -> Iterator[Case]:
    now = clock.now()
    moments = (
        (format_time(now + timedelta(minutes=7)), 422, "in_the_future", "Check the clock"),
        ("2999-01-01T00:00:00Z", 422, "no_such_time", "2000 to 2200"),
        (format_time(now - timedelta(days=35, minutes=1)), 422, "too_old", "on_insufficient: record"),
        ("0001-01-01T00:00:00+14:00", 422, "no_such_time", "2000 to 2200"),
        ("2026-02-30T00:00:00Z", 422, "no_such_time", "calendar"),
        ("2026-02-03T00:00:00", 400, "no_offset", 'append "Z"'),
        ("yesterday", 400, "not_a_time", "RFC 3339"),
        (1_770_000_000, 400, "wrong_type", "2026-04-03T10:00:00Z"),
    )
    for value, status, code, remedy in moments:
        body = run(scene, occurred_at=value)
        yield Case(f"occurred_at {value}", "credits:consume", body, status, code, "occurred_at", remedy)
    past = grant(scene, expires_at="2001-01-01T00:00:00Z")
    yield Case("expires_at past", "credits:grant", past, 422, "in_the_past", "expires_at", "later expires_at")


def names(scene: Scene) -> Iterator[Case]:
    """Operations, organizations, users and workspaces that are none, or not theirs."""
    consume, nowhere = "credits:consume", str(uuid.uuid4())
    stranger = {"type": "organization", "id": nowhere}
    nobody = {"type": "user", "id": nowhere}
    for name, values, status, code, where, remedy in (
        ("unknown operation", {"operation": "fix_rum"}, 422, "unknown_operation", "operation", "fix_run"),
        ("operation of a draft", {"operation": "drafted"}, 422, "unknown_operation", "operation", "Publish"),
        ("closed organization", {"account": scene.closed}, 403, "lifecycle_denied", None, "closed"),
        ("unknown organization", {"account": stranger}, 404, "unknown_organization", None, "organizations:upsert"),
        ("unknown user", {"account": nobody}, 404, "unknown_user", None, "users:upsert"),
        ("unknown workspace", {"workspace_id": nowhere}, 404, "unknown_workspace", None, "workspaces:upsert"),
        ("not a member", {"user_id": nowhere}, 403, "not_a_member", None, "members:upsert"),
        ("misspelt outcome", {"outcome": "Suceeded"}, 422, "unknown_outcome", "outcome", "`succeeded`"),
        ("unknown outcome", {"outcome": "gone"}, 422, "unknown_outcome", "outcome", "timed_out"),
        ("beyond the credits", {"quantity": "1000"}, 402, "insufficient_credits", None, "Grant more"),
        ("beyond one charge", {"quantity": "1000000000"}, 422, "out_of_range", "quantity", "smaller quantities"),
    ):
        yield Case(name, consume, run(scene, **values), status, code, where, remedy)
    yield Case(
        "grant to nobody", "credits:grant", grant(scene, account=nobody), 404, "unknown_user", None, "users:upsert"
    )


def holds(scene: Scene) -> Iterator[Case]:
    """Holds that are none, another product's, ended, or too small."""
    consume, nowhere = "credits:consume", str(uuid.uuid4())
    held, mine = "what is held", f"holds/{scene.hold}"
    yield Case("unknown hold", consume, run(scene, hold_id=nowhere), 404, "unknown_hold", None, "Open one")
    for path, body in (
        (consume, run(scene, hold_id=scene.other_hold)),
        (f"holds/{scene.other_hold}:capture", capture()),
        (f"holds/{scene.other_hold}:release", {"idempotency_key": "x"}),
        (f"holds/{scene.other_hold}:extend", {"idempotency_key": "x", "ttl_seconds": 60}),
    ):
        yield Case("foreign hold", path, body, 403, "hold_of_another_product", None, "its own product")
    for path, body in (
        (consume, run(scene, hold_id=scene.ended_hold)),
        (f"holds/{scene.ended_hold}:capture", capture()),
        (f"holds/{scene.ended_hold}:release", {"idempotency_key": "y"}),
        (f"holds/{scene.ended_hold}:extend", {"idempotency_key": "y", "ttl_seconds": 60}),
    ):
        yield Case("ended hold", path, body, 409, "hold_released", None, "open a new one")
    yield Case("above", f"{mine}:capture", capture(amount="2.500001"), 422, "above_limit", "amount", held)
    yield Case("above", f"{mine}:capture", capture(quantity="2"), 422, "above_limit", "quantity", "allow_more")
    more = capture(quantity="500", allow_more=True)
    yield Case("not affordable", f"{mine}:capture", more, 402, "insufficient_credits", None, "at most the held amount")
    both = capture(quantity="1", amount="1")
    yield Case("two measures", f"{mine}:capture", both, 400, "ambiguous", "amount", "not both")
    keyless = question(scene, hold={"ttl_seconds": 60})
    yield Case("no key", "credits:authorize", keyless, 400, "required", "idempotency_key", "no second hold")
    odd = capture(outcome="sucess")
    yield Case("outcome", f"{mine}:capture", odd, 422, "unknown_outcome", "outcome", "`succeeded`")
    for ttl, status in ((0, 422), (86_401, 422), ("60", 400), (1.5, 400)):
        asked = question(scene, hold={"ttl_seconds": ttl})
        code = "wrong_type" if status == 400 else "out_of_range"
        yield Case(f"ttl {ttl!r}", "credits:authorize", asked, status, code, "hold.ttl_seconds", "")


def reversals(scene: Scene) -> Iterator[Case]:
    """More than was charged, again, of nothing, of no charge."""
    path = f"entries/{scene.entry}:reverse"
    yield Case("above the charge", path, reverse(amount="2.500001"), 422, "above_limit", "amount", "what was charged")
    again = f"entries/{scene.reversed_entry}:reverse"
    yield Case("twice", again, reverse(), 409, "already_reversed", None, "given back in full")
    nowhere = f"entries/{uuid.uuid4()}:reverse"
    yield Case("unknown entry", nowhere, reverse(), 404, "unknown_entry", None, "entry_id")
    given = f"entries/{scene.grant_entry}:reverse"
    yield Case("of a grant", given, reverse(), 422, "nothing_to_reverse", None, "kind grant")
    free = f"entries/{scene.free_entry}:reverse"
    yield Case("of nothing", free, reverse(), 422, "nothing_to_reverse", None, "charged nothing")
    yield Case("without a reason", path, reverse(reason=""), 422, "blank", "reason", "")


def keys(scene: Scene) -> Iterator[Case]:
    """A key that stands for another request, is empty, too long, or missing."""
    for path, body in (
        ("credits:consume", run(scene, idempotency_key=scene.used_key, quantity="7")),
        ("credits:grant", grant(scene, idempotency_key=scene.used_key)),
        (f"holds/{scene.hold}:capture", capture(idempotency_key=scene.used_key)),
        (f"holds/{scene.hold}:release", {"idempotency_key": scene.used_key}),
        (f"entries/{scene.entry}:reverse", reverse(idempotency_key=scene.used_key)),
    ):
        yield Case("another body", path, body, 422, "idempotency_key_reused", None, "Use a new key")
        for key, status, code in (
            ("", 422, "blank"),
            ("k" * 256, 422, "too_long"),
            (None, 400, "null"),
            (7, 400, "wrong_type"),
            ("a\u0000b", 400, "invalid_text"),
        ):
            odd = {**body, "idempotency_key": key}
            yield Case(f"key {str(key)[:9]!r}", path, odd, status, code, "idempotency_key", "")
        bare = {name: value for name, value in body.items() if name != "idempotency_key"}
        yield Case("no key", path, bare, 400, "required", "idempotency_key", "")


def batches(scene: Scene) -> Iterator[Case]:
    """Batches that are refused as a whole; single bad items are answered in their place."""
    path = "credits:consume-batch"
    for count in (0, 1_001):
        body = {"items": [run(scene) for _ in range(count)]}
        yield Case(f"{count} items", path, body, 422, "out_of_range", "items", "1 to 1000")
    yield Case("no list", path, {"items": run(scene)}, 400, "wrong_type", "items", "list")
    yield Case("another field", path, {"item": []}, 400, "unknown_field", "item", "items")


def shapes(scene: Scene) -> Iterator[Case]:
    """Bodies that are not what we read: twice the same key, unknown names, wrong types, no JSON."""
    twice = '{"quantity": "1", "quantity": "2"}'
    wrong = {"type": "organisation", "id": scene.account["id"]}
    for path, body in (
        ("credits:consume", run(scene)),
        ("credits:authorize", question(scene)),
        ("credits:grant", grant(scene)),
        (f"holds/{scene.hold}:capture", capture()),
        (f"entries/{scene.entry}:reverse", reverse()),
    ):
        yield Case("duplicate key", path, twice, 400, "duplicate_key", "quantity", "send it once")
        yield Case("not JSON", path, '{"quantity": ', 400, "malformed_request", None, "column")
        yield Case("a list", path, "[]", 400, "malformed_request", None, "not a JSON object")
        yield Case("nothing", path, "", 400, "malformed_request", None, "Send a JSON object")
        yield Case("unknown", path, {**body, "zzz": 1}, 400, "unknown_field", "zzz", "unknown field")
        first = next(name for name in body if name != "idempotency_key")
        typo = {**{name: value for name, value in body.items() if name != first}, f"{first}s": body[first]}
        yield Case("misspelt", path, typo, 400, "unknown_field", f"{first}s", f"did you mean `{first}`")
        if "account" in body:
            kind = {**body, "account": wrong}
            yield Case("account type", path, kind, 400, "unknown_choice", "account.type", "organization")
            flat = {**body, "account": scene.account["id"]}
            yield Case("account as text", path, flat, 400, "wrong_type", "account", "object")
            ident = {**body, "account": {"type": "organization", "id": "acme"}}
            yield Case("account id", path, ident, 400, "not_a_uuid", "account.id", "")
    odd = run(scene, on_insufficient="maybe")
    yield Case("on_insufficient", "credits:consume", odd, 400, "unknown_choice", "on_insufficient", "reject")
    kind = grant(scene, grant_type="gift")
    yield Case("grant type", "credits:grant", kind, 400, "unknown_choice", "grant_type", "purchased")
    none = {name: value for name, value in grant(scene).items() if name != "grant_type"}
    yield Case("no grant type", "credits:grant", none, 400, "required", "grant_type", "")
    high = grant(scene, priority=256)
    yield Case("priority", "credits:grant", high, 422, "out_of_range", "priority", "255")
