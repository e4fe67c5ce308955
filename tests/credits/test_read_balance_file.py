"""Files of balances as products and their spreadsheets write them, and what each fault is told (spec 02). Pure.

The kinds come from reports about other programs: a byte order mark that became part of the first column's name, a file
that held nothing but the mark and "succeeded", a decimal comma that was dropped so that 173,9 became 1739, one line
twice within one file.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from apps.core.amounts import MICRO
from apps.credits.enums import AccountType, GrantType
from apps.credits.rules import balance_file
from apps.credits.rules.balance_file import BalanceLine, read_balance_file
from apps.credits.rules.balance_plan import KnownBalance, plan_of

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)
HEAD = "account_type,account_id,balance,external_ref"
ONE = "6f1c0a52-0f5e-4d3c-9a51-2f6d1e0b7c11"
LINE = f"organization,{ONE},12.5,wallet-1"
WIDE = f"{HEAD},grant_type,priority,expires_at,note"


def read(text: str | bytes) -> tuple[list[BalanceLine], list[str]]:
    data = text.encode() if isinstance(text, str) else text
    file = read_balance_file(data, now=NOW)
    return file.lines, [str(fault) for fault in file.faults]


@pytest.mark.parametrize(
    "data",
    [
        f"{HEAD}\n{LINE}\n".encode(),
        f"{HEAD}\n{LINE}".encode(),
        f"\ufeff{HEAD}\r\n{LINE}\r\n".encode(),
        f"{HEAD}\n{LINE}\n".replace(",", ";").encode(),
        f"\ufeff{HEAD}\r\n{LINE}\r\n".replace(",", ";").encode(),
        f"{HEAD}\n{LINE}\n".replace(",", "\t").encode(),
        f'"account_type","account_id","balance","external_ref"\n"organization","{ONE}","12.5","wallet-1"\n'.encode(),
        f"{HEAD}\n\n{LINE}\n,,,\n\n".encode(),
        f"{HEAD}\rorganization, {ONE.upper()} ,12.50,wallet-1\r".encode(),
        f"external_ref,balance,account_id,account_type\nwallet-1,12.5,{ONE},organization\n".encode(),
        f"{WIDE}\n{LINE},,,,\n".encode(),
    ],
)
def test_what_spreadsheets_do_on_the_way_is_taken(data: bytes) -> None:
    [line], faults = read(data)
    assert faults == []
    assert (line.account_type, line.account_id, line.balance, line.external_ref) == (
        AccountType.ORGANIZATION,
        uuid.UUID(ONE),
        12_500_000,
        "wallet-1",
    )
    assert (line.grant_type, line.priority, line.expires_at, line.note) == (GrantType.ADJUSTMENT, 100, None, "")


def test_every_column_is_read() -> None:
    [line], faults = read(f'{WIDE}\nuser,{ONE},-3,w;1,bonus,7,2027-01-01T00:00:00+01:00,"from, the old books"\n')
    assert faults == []
    assert line == BalanceLine(
        2,
        AccountType.USER,
        uuid.UUID(ONE),
        -3 * MICRO,
        "w;1",
        GrantType.BONUS,
        7,
        datetime(2026, 12, 31, 23, tzinfo=UTC),
        "from, the old books",
    )


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "The file is empty."),
        ("\ufeff".encode(), "The file is empty."),
        (HEAD.encode(), "The file has a header and no balance."),
        (f"{HEAD}\n".encode("utf-16"), "This is UTF-16."),
        (b"PK\x03\x04", "This is a workbook (.xlsx)."),
        (f"{HEAD}\n{LINE}\norganization,{ONE},1,Caf\xe9".encode("latin-1"), "Line 3 is not UTF-8."),
        (LINE.encode(), "The first line must name the columns, and 'organization' is none."),
        (HEAD.replace("balance", "Balances").encode(), "Did you mean balance?"),
        (f"{HEAD},balance\n".encode(), "names the column balance twice"),
        (b"account_type,account_id\n", "does not name the column balance and external_ref"),
        (f'{HEAD}\n{LINE}\norganization,{ONE},1,"open\n'.encode(), "Line 3 can't be read as CSV"),
    ],
)
def test_a_file_that_can_not_be_read_says_why(data: bytes, told: str) -> None:
    lines, [fault, *more] = read(data)
    assert told in fault
    # What is wrong with the file as a whole is told without the number of a line.
    assert not fault.startswith("line ")
    assert more == []
    assert lines == [] or "Line 3" in fault


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        (f"organisation,{ONE},1,r", "account_type is 'organisation', not one of organization, user. Did you mean org"),
        ("organization,17,1,r", "account_id is '17', not an id"),
        (f"organization,{ONE},,r", "balance is ''"),
        (f"organization,{ONE},1.1234567,r", "with 7 decimals; a credit has 6"),
        (f'organization,{ONE},"173,9",r', "balance is '173,9'. Write it with a point and without thousands"),
        (f'organization,{ONE},"1,500.00",r', "without thousands"),
        (f"organization,{ONE},1.5E+03,r", "which a spreadsheet has shortened"),
        (f"organization,{ONE},1e3,r", "balance is '1e3'"),
        (f"organization,{ONE},+1,r", "balance is '+1'"),
        (f"organization,{ONE},NaN,r", "balance is 'NaN'"),
        (f"organization,{ONE},-0,r", "no negative zero"),
        (f"organization,{ONE},1000000001,r", "at most 1000000000"),
        (f"organization,{ONE},٣,r", "balance is '٣'"),
        (f"organization,{ONE},1,", "external_ref is empty"),
        (f"organization,{ONE},1,1.23457E+15", "its digits are lost"),
        (f"organization,{ONE},1,a\u202eb", "a character that can't be seen"),
        (f"organization,{ONE},1,{'x' * 151}", "151 characters, 150 are the most"),
        (f"organization,{ONE},1", "it has 3 cells, the first line names 4"),
        (f"organization,{ONE},1,r,", "it has 5 cells, the first line names 4"),
    ],
)
def test_a_bad_line_refuses_the_file_by_its_number(cells: str, told: str) -> None:
    _, faults = read(f"{HEAD}\n{LINE}\n{cells}\n")
    assert [fault for fault in faults if fault.startswith("line 3: ") and told in fault] == faults
    assert len(faults) == 1


def test_the_longest_texts_and_both_ends_of_the_priority_are_taken() -> None:
    head = f"{WIDE}\norganization,{ONE},1,{'x' * 150}"
    for priority in (0, 255):
        [line], faults = read(f"{head},,{priority},,{'n' * 500}\n")
        assert (faults, line.priority, len(line.external_ref), len(line.note)) == ([], priority, 150, 500)


@pytest.mark.parametrize(
    ("cells", "told"),
    [
        ("gift,,,", "grant_type is 'gift'"),
        (",256,,", "priority is '256'"),
        (",-1,,", "priority is '-1'"),
        (",,2027-01-01,", "expires_at must be an RFC 3339 time"),
        (",,2026-11-29T12:00:00Z,", "which is past"),
        (f",,,{'n' * 501}", "note has 501 characters"),
    ],
)
def test_a_bad_choice_refuses_the_file(cells: str, told: str) -> None:
    _, faults = read(f"{WIDE}\n{LINE},{cells}\n")
    assert len(faults) == 1
    assert told in faults[0]


def test_a_reference_stands_once_in_a_file_and_lines_within_quotes_are_counted() -> None:
    text = f'{WIDE}\n{LINE},,,,"two\nlines"\norganization,{ONE},1,wallet-2,,,,\norganization,{ONE},9,wallet-2,,,,\n'
    _, faults = read(text)
    assert faults == [
        "line 2: note has a line break or a character that can't be seen.",
        "line 5: external_ref 'wallet-2' stands on line 4 already.",
    ]


def test_a_file_full_of_faults_tells_the_first_ones() -> None:
    _, faults = read(f"{HEAD}\n" + "x,y,z,\n" * 1_000)
    assert len(faults) == 50


def test_a_file_of_too_many_lines_is_refused_as_a_whole_and_read_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    assert balance_file.MOST_LINES == 100_000  # as the page says; the next test reads so many
    monkeypatch.setattr(balance_file, "MOST_LINES", 3)
    rows = [f"organization,{ONE},1,wallet-{place}\n" for place in range(9)]
    lines, faults = read(f"{HEAD}\n" + "".join(rows[:3]))
    assert (len(lines), faults) == (3, [])
    for more in (4, 9):
        lines, faults = read(f"{HEAD}\n" + "".join(rows[:more]))
        assert (len(lines), faults) == (4, ["The file has more than 3 lines. Split it."])


@pytest.mark.slow
def test_the_most_lines_are_a_hundred_thousand() -> None:
    rows = (f"organization,{ONE},1,wallet-{place}\n" for place in range(100_001))
    assert read(f"{HEAD}\n" + "".join(rows))[1] == ["The file has more than 100,000 lines. Split it."]


def test_the_plan_compares_with_what_was_imported_before() -> None:
    lines, _ = read(f"{HEAD}\n" + "".join(f"organization,{ONE},{place},w{place}\n" for place in (1, 2, 3, 4)))
    account = uuid.UUID(ONE)
    known = {
        "w2": KnownBalance(AccountType.ORGANIZATION, account, 2 * MICRO),
        "w3": KnownBalance(AccountType.ORGANIZATION, account, 5 * MICRO),
        "w4": KnownBalance(AccountType.USER, account, 4 * MICRO),
    }
    strict, update = plan_of(lines, known, is_update=False), plan_of(lines, known, is_update=True)
    assert [fault.number for fault in strict.faults] == [4, 5]
    assert "'w3' was imported with 5, and is 3 now." in strict.faults[0].sentence
    assert [fault.number for fault in update.faults] == [5]
    assert (update.fresh, update.unchanged, update.changed) == (1, 1, 1)
    assert (update.file, update.booked, update.known) == (10 * MICRO, (1 - 2) * MICRO, 11 * MICRO)
