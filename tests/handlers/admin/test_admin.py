"""Settings, the log and erasing: who may, what is asked for again, and what is written down."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from handlers.admin import erasing, log, settings
from handlers.admin import view as admin_view
from handlers.admin.settings import decides_alone
from handlers.admin.table import TABLE
from handlers.admin.view import AmountRefused
from handlers.context.access import NotSteward
from handlers.context.table import Field, Filled
from handlers.errors import AlreadyErased, MessageGone, Outdated
from handlers.text.buttons import Action, Form, OnePiece, OneRow, PiecesFound
from handlers.text.codec import read, write
from storage import audit
from storage.audit import Act, Entry
from storage.records import Rules
from storage.statuses import Status
from tests.builders import JANE
from tests.handlers.conftest import ANA, BEN, URL, Office, pressable


@pytest.mark.parametrize(
    ("chosen", "usual", "alone"),
    [
        (None, {"admins"}, False), (None, {ANA}, True), (frozenset({ANA}), {"admins"}, True), (frozenset({ANA, BEN}), {"admins"}, False),
        (frozenset({"everyone"}), {ANA}, False), (frozenset({"admins"}), {ANA}, False),
    ],
)  # fmt: skip
def test_one_named_person_decides_alone(chosen: frozenset[str] | None, usual: set[str], alone: bool) -> None:
    assert decides_alone(Rules(cancellers=chosen), frozenset(usual)) == alone


@pytest.mark.parametrize(
    ("typed", "sum_"),
    [
        ("", None),
        ("  ", None),
        ("$", None),
        ("250", "250.00"),
        ("1,000.50", "1000.50"),
        ("£3", "3.00"),
        ("0", "0.00"),
        ("999999999.99", "999999999.99"),
    ],
)
def test_an_amount_is_read_as_people_write_it(typed: str, sum_: str | None) -> None:
    assert admin_view.amount(typed) == (None if sum_ is None else Decimal(sum_))


@pytest.mark.parametrize("typed", ["x", "-1", "1.2.3", "1000000000", "٣", "1e3", "."])
def test_what_is_no_amount_is_refused(typed: str) -> None:
    with pytest.raises(AmountRefused):
        admin_view.amount(typed)


async def save(office: Office, rules: Rules, amount: str = "", user: str = ANA) -> str:
    """Submits the settings; gives what the form then shows."""
    await settings.save_settings(office.services, office.request(user=user, view_id="V1"), rules, amount)
    assert (office.slack.last.way, office.slack.last.place) == ("update", "V1")
    return office.slack.last.text


async def test_settings_are_saved_and_the_change_is_written_down(office: Office) -> None:
    await settings.open_settings(office.services, office.request(), "")
    assert office.slack.last.way == "open"
    assert "Saved" in await save(office, Rules(frozenset({"admins", BEN})), "250")
    kept = office.again().rules
    assert (kept.cancellers, kept.approval_above) == (frozenset({"admins", BEN}), Decimal(250))
    detail = f"who may cancel: not set → {BEN}, admins; a second person above: not set → $250.00"
    assert office.log() == [(Act.RULES, "", detail)]
    with pytest.raises(NotSteward):
        await save(office, Rules(), user=BEN)
    with pytest.raises(NotSteward):
        await settings.open_settings(office.services, office.request(user=BEN), "")


@pytest.mark.parametrize(
    ("rules", "amount", "said"),
    [
        (Rules(frozenset({"admins"})), "much", str(AmountRefused())),
        (Rules(frozenset()), "", "at least one person"),
        (Rules(frozenset({ANA})), "1", settings.ALONE),
    ],
)
async def test_what_cannot_be_is_asked_for_again(office: Office, rules: Rules, amount: str, said: str) -> None:
    assert said in await save(office, rules, amount)
    assert (office.again().rules, office.log()) == (Rules(), [])
    assert "Saved" in await save(office, Rules(frozenset({ANA})))


async def test_who_saves_what_somebody_else_changed_meanwhile_sees_it_first(office: Office) -> None:
    before = office.request(view_id="V1")
    office.rule(cancellers=frozenset({BEN}))
    await settings.save_settings(office.services, before, Rules(frozenset({"everyone"})), "")
    assert "Somebody else saved" in office.slack.last.text
    assert office.again().rules.cancellers == frozenset({BEN})


async def test_the_form_carries_both_choices(office: Office) -> None:
    fields = {"cancellers": Field(chosen="named"), "cancellers_people": Field(people=(BEN,)), "stewards": Field(chosen="admins"),
              "stewards_people": Field(), "above": Field(typed="")}  # fmt: skip
    await TABLE.forms[Form.RULES].handler(office.services, office.request(view_id="V1"), Filled("", fields))
    assert office.again().rules == Rules(frozenset({BEN}), frozenset({"admins"}))


def lines(office: Office, number: int) -> None:
    for n in range(number):
        office.write(
            audit.note, office.workspace.id, ANA, Act.RULES, office.clock.now(), subject=f"line {n}", detail="=1+1"
        )


@pytest.mark.parametrize(("number", "older"), [(0, False), (log.PAGE, False), (log.PAGE + 1, True)])
async def test_the_log_is_read_page_by_page(office: Office, number: int, older: bool) -> None:
    lines(office, number)
    await log.open_log(office.services, office.request(), "")
    shown = office.slack.last.text
    assert (Action.AUDIT_OLDER.value in shown) == older
    assert shown.count("line ") == min(number, log.PAGE)
    if older:
        (last,) = [one for one in office.read(audit.page, office.workspace.id, None, 99) if one.subject == "line 1"]
        await log.older(office.services, office.request(view_id="V1"), write(OneRow(last.id)))
        assert office.slack.last.place == "V1"
        assert office.slack.last.text.count("line ") == 1
    for work in (log.open_log, log.export_log):
        with pytest.raises(NotSteward):
            await work(office.services, office.request(user=BEN), "")
    with pytest.raises(NotSteward):
        await log.older(office.services, office.request(user=BEN), write(OneRow(1)))
    with pytest.raises(Outdated):
        await log.older(office.services, office.request(), "x")


async def test_the_whole_log_is_sent_as_a_file_that_runs_nothing(office: Office) -> None:
    lines(office, 20)
    await log.export_log(office.services, office.request(), "")
    ((user, file, raw),) = office.slack.files
    read = list(csv.reader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    assert (user, len(read)) == (ANA, 21)
    assert "20 lines" in file.comment
    assert read[0] == ["at", "person", "act", "subject", "detail"]
    assert read[1][3:] == ["line 19", "'=1+1"]
    assert office.log()[-1] == (Act.EXPORTED, "the audit log", "")


async def test_an_erased_recipient_is_gone_and_who_asked_is_told_where_they_pressed(office: Office) -> None:
    await office.campaign(*[Status.DELIVERED] * 4)
    cases = [
        ({}, None, ("replace", URL)), ({"view_id": "V1"}, None, ("update", "V1")),
        ({"response_url": ""}, None, ("post", ANA)), ({}, MessageGone(), ("post", ANA)),
    ]  # fmt: skip
    for n, (where, trouble, told) in enumerate(cases):
        office.slack.fail("answer", *([trouble] if trouble else []))
        piece = office.piece(str(1001 + n))
        await erasing.erase(office.services, office.request(**where), write(OnePiece(piece.id)))
        assert (office.slack.last.way, office.slack.last.place) == told
        assert office.piece(str(1001 + n)).recipient.name == ""
        assert office.log()[-1] == (Act.ERASED, f"piece {1001 + n}", "")
    with pytest.raises(NotSteward):
        await erasing.erase(office.services, office.request(user=BEN), write(OnePiece(office.piece().id)))


async def erased(office: Office, ref: str) -> str:
    """What is answered when this piece's recipient is erased."""
    await erasing.erase(office.services, office.request(), write(OnePiece(office.piece(ref).id)))
    return str(office.slack.last.shown.blocks)


async def test_who_is_erased_is_told_of_the_other_pieces_to_the_same_name_and_address(office: Office) -> None:
    await office.campaign(*[Status.DELIVERED] * 4)
    elsewhere = {"recipient": replace(JANE, address="9 Elm Street")}
    await office.campaign(Status.DELIVERED, ref="223", name="Fall", piece=elsewhere)
    shown = await erased(office, "1001")
    assert "3 other pieces go to the same name and address" in shown
    buttons = dict(pressable(office.slack.last.shown.blocks))
    assert read(PiecesFound, buttons[Action.FOUND_LIST]).total == 3
    await erasing.erase_found(office.services, office.request(), buttons[Action.ERASE_OTHERS])
    assert "who these 3 pieces were sent to" in str(office.slack.last.shown.blocks)
    assert [office.piece(ref).recipient.name for ref in ("1002", "1004", "2001")] == ["", "", "Jane Smith"]
    assert {line[:2] for line in office.log()[-3:]} == {(Act.ERASED, f"piece {ref}") for ref in (1002, 1003, 1004)}
    with pytest.raises(AlreadyErased):
        await erasing.erase_found(office.services, office.request(), buttons[Action.ERASE_OTHERS])
    assert "I know no other piece to the same name and address." in await erased(office, "2001")
    with pytest.raises(NotSteward):
        await erasing.erase_found(office.services, office.request(user=BEN), buttons[Action.ERASE_OTHERS])


async def test_erased_once_is_logged_once_and_pressed_again_says_so(office: Office) -> None:
    await office.campaign(Status.DELIVERED)
    await erased(office, "1001")
    with pytest.raises(AlreadyErased):
        await erased(office, "1001")
    assert [act for act, _, _ in office.log()] == [Act.ERASED]


def test_what_is_pressed_here_twice_shows_the_same_again() -> None:
    assert {one for one, press in TABLE.actions.items() if press.in_turn} == {Action.AUDIT_OLDER}
    assert {one for one, press in TABLE.actions.items() if press.kept} == {
        Action.AUDIT_EXPORT, Action.ERASE, Action.ERASE_OTHERS,
    }  # fmt: skip


async def test_older_lines_begin_behind_the_last_that_is_shown(office: Office) -> None:
    lines(office, log.PAGE + 2)
    await log.open_log(office.services, office.request(), "")
    shown = office.read(audit.page, office.workspace.id, None, log.PAGE)
    (older,) = [value for action, value in pressable(office.slack.last.shown["blocks"]) if action == Action.AUDIT_OLDER]
    assert older == write(OneRow(shown[-1].id))


def test_the_form_holds_what_stands_or_what_was_typed() -> None:
    def held(rules: Rules, **typed: str) -> tuple[Any, Any]:
        blocks = {
            one["block_id"]: one["element"]
            for one in admin_view.form(rules, frozenset({ANA}), "USD", **typed)["blocks"]
            if "element" in one
        }
        return blocks["above"].get("initial_value"), blocks["cancellers_people"].get("initial_users")

    assert held(Rules()) == (None, [ANA])
    assert held(Rules(frozenset({"admins", BEN, ANA}), approval_above=Decimal(5))) == ("5", sorted([ANA, BEN]))
    assert held(Rules(frozenset({"admins"}), approval_above=Decimal(5)), amount="6x") == ("6x", None)


def test_nobody_must_be_named_where_all_admins_may_and_an_amount_may_be_left_empty() -> None:
    fields = [one for one in admin_view.form(Rules(), frozenset({"admins"}), "USD")["blocks"] if one["type"] == "input"]
    left = {one["block_id"]: one["optional"] for one in fields}
    assert left == {
        "cancellers": False, "cancellers_people": True, "stewards": False, "stewards_people": True, "above": True,
    }  # fmt: skip
    assert fields[-1]["element"]["max_length"] == 20, "a billion with its cents, and commas between"


def test_a_line_of_the_log_names_who_and_what() -> None:
    def line(**facts: Any) -> str:
        given: dict[str, Any] = {
            "id": 1,
            "at": datetime(2026, 11, 2, tzinfo=UTC),
            "person": ANA,
            "act": "acted",
            "subject": "<s>",
            "detail": "channel C0OPS",
        }
        return str(admin_view.log_page([Entry(**(given | facts))], None)["blocks"][0]["text"]["text"])

    assert line().endswith(f"<@{ANA}> acted — &lt;s&gt;\n<#C0OPS>")
    assert line(person="", subject="", detail="").endswith("Piecewise acted")
