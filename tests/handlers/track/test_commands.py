"""`/mailtrack`: who reads of which piece, what is asked of the platform, and what is shared."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from handlers.context.access import GuestsLook
from handlers.errors import NotConnected, Outdated, PieceUnknown, PlatformDown, PlatformRefused, Refusal, Trouble
from handlers.text.buttons import OnePiece
from handlers.text.codec import write
from handlers.track import actions, commands
from handlers.track import view as track_view
from handlers.track.table import TABLE
from storage import privacy
from storage.queries import search
from storage.records import ChannelId, PieceId
from storage.statuses import Status
from tests.builders import JANE, a_campaign, a_piece
from tests.handlers.conftest import BEN, GUS, OPS, URL, Office

D, T = Status.DELIVERED, Status.IN_TRANSIT


async def ask(office: Office, text: str, **facts: Any) -> str:
    """What the asker alone reads."""
    await commands.mail_track(office.services, office.request(text, **facts))
    assert office.slack.last.way == "answer"
    return office.slack.last.text + str(office.slack.last.shown.blocks)


async def test_one_piece_is_shown_with_its_recipient_to_the_asker_alone(office: Office) -> None:
    await office.campaign(T)
    office.mail.at["1001"] = D
    for asked in ("1001", "#1001", '"1001"'):
        assert "Jane Smith" in await ask(office, asked)
    assert office.piece().status is D, "read again just now"


async def test_a_piece_that_is_not_known_here_is_asked_of_the_platform(office: Office) -> None:
    office.mail.add(a_campaign("300"), (a_piece("777", "300"), D))
    assert "Jane Smith" in await ask(office, "777")
    office.mail.add(a_campaign("301"), (a_piece("778", "301"), D))
    calls = office.mail.calls.count("piece")
    await ask(office, "778", user=GUS, guest=True)
    await ask(office, "77x")
    assert office.mail.calls.count("piece") == calls, "for guests, and for what is no id, nothing is asked"


async def test_an_id_is_asked_of_the_platform_before_it_is_read_as_a_zip_code(office: Office) -> None:
    await office.campaign(T, piece={"recipient": replace(JANE, name="Bo Brown", postcode="78701")})
    office.mail.add(a_campaign("300"), (a_piece("787012345", "300"), D))
    for asked in ("where is piece 787012345?", "787012345", "#787012345"):
        shown = await ask(office, asked)
        assert "Jane Smith" in shown
        assert "Bo Brown" not in shown
    calls = office.mail.calls.count("piece")
    assert "Bo Brown" in await ask(office, "78701-9999")
    assert office.mail.calls.count("piece") == calls, "a dash is in no id"
    guess = await ask(office, "787019999")
    assert "Bo Brown" in guess
    assert "Nothing matches “787019999”" in guess


@pytest.mark.parametrize("trouble", [PlatformDown(), PlatformRefused(), None])
async def test_what_nobody_knows_is_said(office: Office, trouble: Trouble | None) -> None:
    office.mail.fail("piece", trouble)
    assert "Jane" not in await ask(office, "9999")


async def test_several_pieces_are_offered(office: Office) -> None:
    await office.campaign(D, T)
    shown = await ask(office, "Jane Smith")
    assert "2 pieces" in shown
    assert "Delivered" in shown


async def test_help_names_a_piece_of_ones_own_but_not_to_guests(office: Office) -> None:
    await office.campaign(D)
    assert "1001" in await ask(office, "")
    assert "1001" in await ask(office, "help")
    for typed in ("help", ""):
        said = await ask(office, typed, user=GUS, guest=True)
        assert "1001" not in said
        assert "You're a guest here" in said
    office.note(connected_at=None)
    with pytest.raises(NotConnected):
        await ask(office, "1001")


async def test_a_guest_reads_of_what_was_shared_without_the_recipient(office: Office) -> None:
    await office.campaign(D, D)
    guest: dict[str, Any] = {"user": GUS, "guest": True}
    assert "Delivered" not in await ask(office, "1001", **guest)
    await actions.share_piece(office.services, office.request(), write(OnePiece(office.piece("1001").id)))
    assert (office.slack.last.way, office.slack.last.place) == ("post", OPS)
    assert "Smith" not in office.slack.last.text + str(office.slack.last.shown.blocks)
    seen = await ask(office, "1001", **guest)
    assert "Delivered" in seen
    assert "Smith" not in seen
    assert "Delivered" not in await ask(office, "1002", **guest)
    with pytest.raises(GuestsLook):
        await actions.pick_piece(office.services, office.request(**guest), write(OnePiece(office.piece("1002").id)))


async def test_of_several_pieces_a_guest_reads_shortened_names_and_ids(office: Office) -> None:
    await office.campaign(D, T, T)
    for ref in ("1001", "1002"):
        await actions.share_piece(office.services, office.request(), write(OnePiece(office.piece(ref).id)))
    seen, who = await ask(office, "jane", user=GUS, guest=True), office.piece("1001").recipient
    assert not [told for told in ("Smith", who.address, who.postcode, "Spring lapsed", "1003") if told in seen]
    assert all(told in seen for told in ("Jane S.", "1001 · Delivered", "1002 · In Transit"))


async def test_a_guest_finds_all_that_was_shown_also_behind_the_newest(office: Office) -> None:
    await office.campaign(*[D] * 60)
    for number in range(1001, 1031):
        await actions.share_piece(office.services, office.request(), write(OnePiece(office.piece(str(number)).id)))
    seen = await ask(office, "jane", user=GUS, guest=True)
    assert "30 pieces match “jane”" in seen, (
        "the sixty newest were not all shown, and of the oldest thirty none was seen"
    )
    assert "5 more match. A full name, a street or a ZIP code narrows it down." in seen
    assert "1031" not in seen


async def test_where_more_match_than_are_looked_through_a_guest_is_told(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    await office.campaign(D, D, D, D, D)
    for number in range(1001, 1006):
        await actions.share_piece(office.services, office.request(), write(OnePiece(office.piece(str(number)).id)))
    note = "Only the newest pieces that match were looked through."
    assert note not in await ask(office, "jane", user=GUS, guest=True)
    monkeypatch.setattr(search, "COUNTED", 3)
    monkeypatch.setattr(track_view, "COUNTED", 3)
    assert note in await ask(office, "jane", user=GUS, guest=True)


async def test_without_a_channel_nothing_is_shared(office: Office) -> None:
    await office.campaign(D)
    with pytest.raises(Refusal, match="no channel"):
        await actions.share_piece(
            office.services, office.request(channel=ChannelId("")), write(OnePiece(office.piece().id))
        )
    assert office.slack.said == []


async def inside(office: Office, text: str) -> str:
    """What is answered to *Track pieces here* on a message with this text."""
    await commands.track_in_message(office.services, office.request(text))
    return office.slack.last.text + str(office.slack.last.shown.blocks)


async def test_the_ids_in_a_message_are_tracked(office: Office) -> None:
    await office.campaign(D, ref="100222")
    office.mail.add(a_campaign("300"), (a_piece("700001", "300"), D), (a_piece("700002", "300"), T))
    assert "Jane Smith" in await inside(office, "look at 700001 please")
    assert "2 pieces" in await inside(office, "look at 700001 and 700002 and 999999")
    assert (await inside(office, "nothing here")).startswith("I see no piece id in this message.")


async def test_an_id_in_a_message_is_no_zip_code_of_somebody_elses(office: Office) -> None:
    await office.campaign(T, piece={"recipient": replace(JANE, name="Bo Brown", postcode="787012345")})
    office.mail.add(a_campaign("300"), (a_piece("787012345", "300"), D))
    office.mail.fail("piece", PieceUnknown())
    assert (await inside(office, "is 787012345 late?")).startswith("None of the numbers in this message is one of your")
    shown = await inside(office, "is 787012345 late?")
    assert "Jane Smith" in shown
    assert "Bo Brown" not in shown


async def test_who_may_erase_is_offered_it_and_a_modal_shares_nothing(office: Office) -> None:
    await office.campaign(D)
    assert "erase_recipient" in await ask(office, "1001")
    assert "share_piece" in office.slack.last.shown.blocks.__str__()
    assert "erase_recipient" not in await ask(office, "1001", user=BEN)


@pytest.mark.parametrize(("above", "asked"), [(None, False), ("0.84", False), ("0.83", True), ("0", True)])
async def test_cancelling_a_piece_says_before_it_is_confirmed_that_someone_else_must_approve(
    office: Office, above: str | None, asked: bool
) -> None:
    await office.campaign(Status.RECEIVED)
    if above is not None:
        office.rule(approval_above=Decimal(above))
    assert ("Someone else must approve this first" in await ask(office, "1001")) == asked


async def test_of_whom_is_erased_only_that_is_said_and_nothing_is_offered(office: Office) -> None:
    await office.campaign(D)
    office.write(privacy.erase_piece, office.workspace.id, office.piece().id)
    shown = await ask(office, "1001")
    assert "Recipient erased (TX)" in shown
    assert "erase_recipient" not in shown


async def test_a_timeline_opens_over_a_list_and_else_answers_the_asker(office: Office) -> None:
    await office.campaign(D)
    value = write(OnePiece(office.piece().id))
    await actions.track_piece(office.services, office.request(view_id="V9"), value)
    assert [(one.way, one.place) for one in office.slack.said] == [("push", "T1"), ("update", "V1")]
    assert "share_piece" not in office.slack.last.text
    await actions.track_piece(office.services, office.request(), value)
    assert (office.slack.last.way, office.slack.last.place) == ("answer", URL)
    await actions.pick_piece(office.services, office.request(), value)
    assert office.slack.last.way == "replace"
    with pytest.raises(Outdated):
        await actions.track_piece(office.services, office.request(), write(OnePiece(PieceId(99))))
    with pytest.raises(GuestsLook):
        await actions.track_piece(office.services, office.request(user=GUS, guest=True, view_id="V9"), value)


def test_nothing_here_changes_anything() -> None:
    assert not any(press.kept for press in TABLE.actions.values())
    assert TABLE.commands["/mailtrack"].for_guests
    assert not TABLE.commands["/mailtrack"].nameless
