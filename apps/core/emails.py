"""One mailbox has one spelling: `canonical_email` makes it, for every address that is stored, compared or mailed to.

The domain is kept as DNS asks for it: UTS 46 mapping, then IDNA 2008 to ASCII, so that `münchen.de`, `MÜNCHEN.DE` and
`xn--mnchen-3ya.de` are one. What stands before the @ is folded by NFKC and to lower case, which turns full-width
letters, the Kelvin sign and the long s into the ASCII letters that they stand for; a letter outside ASCII that is left
(such as the Turkish dotless i, or ß) is refused, since it would be another mailbox that looks alike, and our e-mail
leaves without SMTPUTF8. `ß` in a domain stays itself: `straße.de` and `strasse.de` have different owners.
"""

from __future__ import annotations

import unicodedata

import idna
from django.core.exceptions import ValidationError
from django.core.validators import EmailValidator

LONGEST_EMAIL = 254
_NO_ADDRESS = 'must be one e-mail address, such as "ada@example.com".'
# Without Django's exception for a bare `localhost`, which is nobody's mailbox.
_validate = EmailValidator(allowlist=[])


class EmailAddressError(ValueError):
    """The text is not an address that we can keep; the message says why, to follow the field's name."""


def canonical_email(text: str) -> str:
    """The one spelling of the mailbox, in ASCII. Raises `EmailAddressError`; surrounding blanks are not trimmed."""
    if len(text) > LONGEST_EMAIL:
        raise EmailAddressError(f"may have at most {LONGEST_EMAIL} characters.")
    local, at, domain = unicodedata.normalize("NFKC", text).rpartition("@")
    if not at or not local or not domain:
        raise EmailAddressError(_NO_ADDRESS)
    if domain.startswith("["):
        raise EmailAddressError("must name a domain after the @, not a network address.")
    address = f"{_local_part(local)}@{_ascii_domain(domain)}"
    if len(address) > LONGEST_EMAIL:
        raise EmailAddressError(f"may have at most {LONGEST_EMAIL} characters with its domain in ASCII.")
    try:
        _validate(address)
    except ValidationError:
        raise EmailAddressError(_NO_ADDRESS) from None
    return address


def email_to_find(text: str) -> str:
    """What a person typed to find an account, in the spelling in which accounts are kept.

    What is no address is folded only: it finds an account from before addresses had one spelling, or nobody.
    """
    typed = text.strip()
    try:
        return canonical_email(typed)
    except EmailAddressError:
        return typed.replace("\x00", "").lower()


def _local_part(local: str) -> str:
    if len(local) > 1 and local.startswith('"') and local.endswith('"'):
        # "ann"@example.com is ann@example.com; what really needs the quotes no mail service gives out.
        local = local[1:-1]
    if '"' in local:
        raise EmailAddressError("may hold no quotation marks; write the address without them.")
    odd = next((letter for letter in local if not letter.isascii()), None)
    if odd is not None:
        raise EmailAddressError(
            f"may hold only ASCII letters before the @; {_name_of(odd)} is none. Use the mailbox's ASCII address."
        )
    return local.lower()


def _ascii_domain(domain: str) -> str:
    if domain.isascii() and "xn--" not in domain.lower():
        return domain.lower()
    try:
        return idna.encode(domain, uts46=True, std3_rules=True, transitional=False).decode("ascii").lower()
    except UnicodeError as error:  # idna's own errors are of this class
        if domain.isascii():
            # A name from before IDNA 2008, such as one with an emoji, has this single spelling here.
            return domain.lower()
        raise EmailAddressError(
            "has a domain that is no valid international name; check it, or use its xn-- form."
        ) from error


def _name_of(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, '')}".strip()
