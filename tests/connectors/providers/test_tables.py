"""Reading a CSV that anybody may have written: what is recognised, and what is refused in words (spec 06, Sync run)."""

from __future__ import annotations

import codecs

import pytest

from apps.connectors.contracts import ProviderError
from apps.connectors.providers.tables import read_table

KNOWN = ("external_id", "occurred_at", "kind", "description", "quantity", "amount_minor", "category")
NEEDED = ("external_id", "occurred_at", "kind")
HEAD = "external_id,occurred_at,kind,description"
TEXT = f"{HEAD}\nr-1,2026-04-03T10:00:00Z,usage,Café für zwei\n"
ROW = {"external_id": "r-1", "occurred_at": "2026-04-03T10:00:00Z", "kind": "usage", "description": "Café für zwei"}


def read(body: bytes, charset: str = "") -> list[dict[str, str]]:
    return [cells for _, cells in read_table(body, charset=charset, needed=NEEDED, known=KNOWN).rows()]


@pytest.mark.parametrize(
    ("body", "charset"),
    [
        (TEXT.encode(), ""),
        (TEXT.encode(), "UTF-8"),
        (TEXT.encode(), "us-ascii"),
        (codecs.BOM_UTF8 + TEXT.encode(), ""),
        (codecs.BOM_UTF8 + TEXT.encode(), "iso-8859-1"),
        (codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), ""),
        (codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"), "utf-16"),
        (TEXT.encode("utf-16-le"), ""),
        (TEXT.encode("utf-16-be"), ""),
        (codecs.BOM_UTF32_LE + TEXT.encode("utf-32-le"), ""),
        (TEXT.encode("latin-1"), "ISO-8859-1"),
        (TEXT.encode("cp1252"), "windows-1252"),
        (TEXT.replace(",", ";").encode(), ""),
        (TEXT.replace(",", "\t").encode(), ""),
        (TEXT.replace(",", "|").encode(), ""),
        (b"sep=;\r\n" + TEXT.replace(",", ";").encode(), ""),
        (TEXT.replace("\n", "\r\n").encode(), ""),
        (TEXT.replace("\n", "\r").encode(), ""),
        (b"\n\n" + TEXT.encode() + b"\n,,,\n", ""),
        (TEXT.replace("external_id", " External_ID ").encode(), ""),
        (TEXT.replace("external_id", '"external_id"').encode(), ""),
        (TEXT.encode() + HEAD.encode(), ""),
    ],
    ids=range(22),
)
def test_the_same_table_is_read_from_every_form(body: bytes, charset: str) -> None:
    assert read(body, charset) == [ROW]


def test_a_header_line_alone_is_a_month_without_records() -> None:
    assert read(HEAD.encode()) == []


@pytest.mark.parametrize(
    ("body", "charset", "told"),
    [
        (b"", "", "it is empty"),
        (b" \r\n\t ", "", "it is empty"),
        (codecs.BOM_UTF8, "", "it is empty"),
        (b"<!DOCTYPE html><html><body>Sign in</body></html>", "", "web page"),
        (b"\n  <?xml version='1.0'?><rows/>", "", "web page or XML"),
        (b'{"records": [], "next_cursor": null}', "", "it is JSON"),
        (b'[{"external_id": "r-1"}]', "", "it is JSON"),
        (b"OK", "", "none of the columns"),
        (b"Service is down for maintenance, please come back later", "", "none of the columns"),
        (b"r-1,2026-04-03T10:00:00Z,usage,Compute\n", "", "none of the columns"),
        (b"external_id,occurred_at\n", "", "the column kind is missing"),
        (b"external_id\n", "", "the column occurred_at and the column kind is missing"),
        (b"external_id,occurred_at,kind,kind\n", "", "kind is there 2 times"),
        (b"external_id,occured_at,kind\n", "", "'occured_at' is not known. Did you mean occurred_at?"),
        (b"external_id,occurred_at,kind,colour\n", "", "'colour' is not known"),
        (TEXT.encode("latin-1"), "", "line 2 is not UTF-8"),
        (TEXT.encode(), "koi8-r", "'koi8-r', which is not known"),
        (b"external_id,occurred_at,kind\nr-1,2026\n", "", "line 2 of the CSV has 2 cells, the header has 3"),
        (b'external_id,occurred_at,kind\nr-1,"2026,usage\n', "", "quotation mark"),
        (codecs.BOM_UTF16_LE + b"a", "", "is not UTF-16"),
        (b"PK\x03\x04\x14\x00\x06\x00\x08\x00!", "", "can't be read"),
    ],
    ids=range(21),
)
def test_what_is_no_table_of_ours_is_refused_in_words(body: bytes, charset: str, told: str) -> None:
    with pytest.raises(ProviderError) as caught:
        read(body, charset)
    assert told in caught.value.sentence
    assert (caught.value.is_permanent, caught.value.code) == (True, "answer_unreadable")
