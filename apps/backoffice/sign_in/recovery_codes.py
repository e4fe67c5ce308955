"""Recovery codes: ten for each person; each replaces one code of the authenticator (spec 02, How people sign in).

A code is `SSSS-XXXX-XXXX-XXXX`: four characters that find the row, twelve (60 random bits) that are stored as a slow,
salted hash (ASVS 5, 6.5.2). django-otp's static tokens are not used: they are stored as plain text.
"""

from __future__ import annotations

import re
import secrets
from functools import cache

from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import transaction

from apps.backoffice.events import RECOVERY_CODE_USED, RECOVERY_CODES_MADE
from apps.core import clock
from apps.core.audit import audit_append
from apps.core.context import ExecutionContext
from apps.core.ids import AuditTarget, UserId
from apps.tenants.models import RecoveryCode
from apps.tenants.selectors.users import user_for_update

CODES_A_PERSON = 10
# Crockford's: no letter that looks like a digit.
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_SELECTOR_LENGTH, _LENGTH = 4, 16
_LOOKALIKES = str.maketrans("OIL", "011")
_FORM = re.compile(f"[{_ALPHABET}]{{{_LENGTH}}}", re.ASCII)
# The secret is random, so it needs fewer rounds than a password that a person made up.
_ROUNDS = 50_000


def normal_code(text: str) -> str | None:
    """Normalize a code: capitals, no separators, lookalikes as digits. None if it is not a code."""
    text = re.sub(r"[\s\-–_.]+", "", text).upper().translate(_LOOKALIKES)  # noqa: RUF001 - what word processors make of -
    return text if _FORM.fullmatch(text) else None


def recovery_codes_make(context: ExecutionContext, *, user_id: UserId) -> list[str]:
    """Replace the person's codes by ten new ones and return them; only hashes are stored."""
    codes = _fresh_codes()
    # Hashed before the person's row is locked: it takes a moment.
    hashes = [_hash_of(code) for code in codes]
    with transaction.atomic():
        user_for_update(user_id)
        RecoveryCode.objects.filter(user=user_id).delete()
        RecoveryCode.objects.bulk_create(
            RecoveryCode(user_id=user_id, selector=code[:_SELECTOR_LENGTH], secret_hash=secret_hash)
            for code, secret_hash in zip(codes, hashes, strict=True)
        )
        audit_append(context, RECOVERY_CODES_MADE, AuditTarget("user", user_id), after={"code_count": len(codes)})
    return ["-".join(code[start : start + 4] for start in range(0, _LENGTH, 4)) for code in codes]


@transaction.atomic
def recovery_code_use(user_id: UserId, code: str) -> bool:
    """Use the code if it is one of the person's unused codes. Of two concurrent uses one succeeds."""
    normal = normal_code(code)
    if normal is None:
        return False
    row = (
        RecoveryCode.objects.select_for_update()
        .filter(user=user_id, selector=normal[:_SELECTOR_LENGTH], used_at=None)
        .first()
    )
    # The slow hash runs in any case, so that its time does not tell whether four characters were right.
    is_right = _HASHER.verify(normal[_SELECTOR_LENGTH:], row.secret_hash if row else _hash_of_nothing())
    if row is None or not is_right:
        return False
    row.used_at = clock.now()
    row.save(update_fields=["used_at"])
    return True


def audit_use(context: ExecutionContext, *, user_id: UserId) -> int:
    """Record the use of a code in the audit log, and return how many are left."""
    left = codes_left(user_id)
    audit_append(
        context,
        RECOVERY_CODE_USED,
        AuditTarget("user", user_id),
        before={"codes_left": left + 1},
        after={"codes_left": left},
    )
    return left


def codes_left(user_id: UserId) -> int:
    return RecoveryCode.objects.filter(user=user_id, used_at=None).count()


_HASHER = PBKDF2PasswordHasher()


def _hash_of(code: str) -> str:
    return str(_HASHER.encode(code[_SELECTOR_LENGTH:], _HASHER.salt(), _ROUNDS))


@cache
def _hash_of_nothing() -> str:
    return _hash_of(secrets.token_hex(_LENGTH))


def _fresh_codes() -> list[str]:
    # The first characters find the row, so no two codes of a person may share them.
    codes: dict[str, str] = {}
    while len(codes) < CODES_A_PERSON:
        code = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
        codes[code[:_SELECTOR_LENGTH]] = code
    return list(codes.values())
