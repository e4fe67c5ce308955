"""Secrets stay out of logs, and text in logs can't pretend to be another line (spec 11, P7).

Three nets: values under keys that name a secret, values that look like a credential of ours or of a provider, and the
very values of this installation's secret settings. Control characters are written out, so that neither a line break nor
a terminal sequence in a caller's text reaches a log.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

REDACTED = "[redacted]"

_WORDS_OF_SECRETS = (
    "password|passwd|passphrase|secret|token|api_?key|apikey|authorization|credential|cookie|session_?id|csrf|"
    "signature|private_?key|write_?key|access_?key|otp|code_verifier|database_url|broker_url|email_url"
)
_SECRET_KEY = re.compile(_WORDS_OF_SECRETS, re.IGNORECASE)
# Names that hold such a word and tell no secret.
_HARMLESS_KEYS = frozenset(
    {"token_prefix", "token_kind", "token_id", "service_token_id", "credential_id", "idempotency_key"}
)
_CREDENTIAL = re.compile(
    r"""(?x)
    (?i:\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{6,}
    | \bch[pc]_[0-9a-f]{8}_[A-Za-z0-9_-]{16,}  # ours; the prefix alone is what staff look a token up by
    | \bchl_[A-Za-z0-9_-]{16,}  # ours, in the address of a sign-in link
    | \b(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{6,}  # Stripe
    | \bwhsec_[A-Za-z0-9+/=_-]{6,}
    | \bv1=[0-9a-f]{64}\b  # signatures of Stripe and Orb
    | \borb_[A-Za-z0-9_-]{12,}
    | \bAIza[A-Za-z0-9_-]{30,}  # Google
    | \bya29\.[A-Za-z0-9._-]+
    | \b1//[A-Za-z0-9_-]{10,}
    | \bGOCSPX-[A-Za-z0-9_-]{10,}
    | \beyJ[A-Za-z0-9_-]{5,2000}+\.[A-Za-z0-9_-]{5,}+\.[A-Za-z0-9_-]*  # JSON web tokens
    """
)
_URL_PASSWORD = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+@")
# Each starts at the beginning of a word only, and gives nothing back: callers write what is searched here, and a search
# that starts anew within a word of 50,000 letters would hold the whole process for minutes.
_ASSIGNED_NAME = re.compile(r"""(?<![\w-]) (?P<name> [\w-]++ ) ["']? \s*+ [:=] \s*+""", re.VERBOSE)
_VALUE = re.compile(r"""(?x) "(?:[^"\\]|\\.)*+" | '(?:[^'\\]|\\.)*+' | [^\s,;&"'}\])]++""")
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_IN_TRACEBACK = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
_TRACEBACK_KEYS = frozenset({"exception", "stack"})
_SHORTEST_KNOWN_SECRET = 8
_DEEPEST = 8


class Redactor:
    """A structlog processor. `known_secrets` are values of this installation that must never be written."""

    def __init__(self, known_secrets: Iterable[str] = ()) -> None:
        values = sorted({value for value in known_secrets if len(value) >= _SHORTEST_KNOWN_SECRET}, key=len)
        self._known = re.compile("|".join(re.escape(value) for value in reversed(values))) if values else None

    def __call__(self, logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        for key in list(event):
            event[key] = self._member(key, event[key], depth=0)
        return event

    def text(self, text: str, *, control: re.Pattern[str] = _CONTROL) -> str:
        """The text without credentials and control characters."""
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        text = _CREDENTIAL.sub(REDACTED, text)
        text = _URL_PASSWORD.sub(rf"\1:{REDACTED}@", text)
        text = _without_assigned(text)
        return control.sub(_written_out, text)

    def _member(self, key: Any, value: Any, *, depth: int) -> Any:
        name = str(key).replace("-", "_")
        if value is not None and name.lower() not in _HARMLESS_KEYS and _SECRET_KEY.search(name):
            return REDACTED
        if name in _TRACEBACK_KEYS and isinstance(value, str):
            return self.text(value, control=_CONTROL_IN_TRACEBACK)
        return self._value(value, depth=depth)

    def _value(self, value: Any, *, depth: int) -> Any:
        if value is None or isinstance(value, bool | int | float):
            return value
        if isinstance(value, str):
            return self.text(value)
        if depth < _DEEPEST and isinstance(value, Mapping):
            return {self.text(str(key)): self._member(key, member, depth=depth + 1) for key, member in value.items()}
        if depth < _DEEPEST and isinstance(value, list | tuple | set | frozenset):
            return [self._value(member, depth=depth + 1) for member in value]
        return self.text(str(value))


def _without_assigned(text: str) -> str:
    """The text without what is assigned to a name of a secret."""
    parts, done = [], 0
    for match in _ASSIGNED_NAME.finditer(text):
        if match.start() < done or not _SECRET_KEY.search(match["name"]):
            continue
        value = _VALUE.match(text, match.end())
        if value is not None:
            parts += [text[done : match.end()], REDACTED]
            done = value.end()
    return "".join([*parts, text[done:]])


def _written_out(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"
