"""The returns desk: what it counts, what is checked, and what people note of it."""

from datetime import timedelta
from typing import Any

import pytest

from handlers.charts.values import States
from handlers.context.ports import AddressCheck
from handlers.errors import NotInChannel, Outdated, PlatformDown, SlackRefused
from handlers.pieces import actions as pieces
from handlers.returns import actions
from handlers.returns import view as returns_view
from handlers.returns.table import TABLE
from handlers.text import buttons
from handlers.text.buttons import Action, OneCampaign, OnePiece, OneReturn, ReturnsOf, Settled, Word
from handlers.text.codec import read, write
from handlers.text.reasons import REASONS
from storage import intents, privacy
from storage.audit import Act
from storage.intents import Kind
from storage.queries import returns
from storage.queries.mail import Days
from storage.queries.returns import CameBack, Note
from storage.records import CampaignId, ChannelId, PieceId, Recipient, StoredCampaign
from storage.statuses import Status
from tests.handlers.conftest import ANA, BEN, OPS, Office, pressable

D, BACK = Status.DELIVERED, Status.RETURNED


async def returned(office: Office, number: int = 1) -> StoredCampaign:
    return await office.campaign(*[BACK] * number, D)


def note(office: Office, ref: str = "1001") -> Note:
    piece = office.piece(ref)
    return office.read(returns.notes_of, office.workspace.id, [piece.id]).get(piece.id, Note())


async def test_the_desk_opens_with_the_first_page_and_remembers_where_it_was_asked_for(office: Office) -> None:
    campaign = await returned(office, returns_view.PAGE + 1)
    await actions.open_desk(office.services, office.request(message_ts="1.1"), write(OneCampaign(campaign.id)))
    shown = office.slack.last
    assert (shown.way, shown.place) == ("open", "T1")
    # All came back at one moment: then the last that was met comes first.
    last = CameBack.of(office.piece("1002"))
    following = write(ReturnsOf.behind(campaign.id, last, OPS, "1.1"))
    assert following in shown.text
    await actions.turn_page(office.services, office.request(view_id="V1"), following)
    assert (office.slack.last.way, office.slack.last.place) == ("update", "V1")
    listed = [
        read(OneReturn, value) for action, value in pressable(office.slack.last.shown) if action == Action.RETURN_OPEN
    ]
    assert [one.piece for one in listed] == [office.piece("1001").id]
    assert listed[0].listed == read(ReturnsOf, following), "what is noted of it renews this page"
    await actions.push_desk(office.services, office.request(), write(OneCampaign(campaign.id)))
    assert office.slack.last.way == "push"
    with pytest.raises(Outdated):
        await actions.open_desk(office.services, office.request(), write(OneCampaign(CampaignId(99))))


async def test_a_campaign_without_returns_has_none_to_list(office: Office) -> None:
    campaign = await office.campaign(D)
    await actions.open_desk(office.services, office.request(), write(OneCampaign(campaign.id)))
    assert "1001" not in office.slack.last.text


async def test_what_is_usual_is_of_the_other_campaigns(office: Office) -> None:
    campaign = await office.campaign(*[BACK] * 10)
    await office.campaign(BACK, *[D] * 49, ref="223", name="Autumn")
    await actions.open_desk(office.services, office.request(), write(OneCampaign(campaign.id)))
    assert "2%" in office.slack.last.text


async def test_a_range_lists_the_campaigns_with_returns_alone(office: Office) -> None:
    await returned(office)
    await office.campaign(D, ref="223", name="Autumn")
    await actions.open_range(office.services, office.request(), buttons.carry(None, Days()))
    assert "Spring lapsed" in office.slack.last.text
    assert "Autumn" not in office.slack.last.text


async def test_the_map_goes_to_the_thread_of_the_desk_or_to_the_person(office: Office) -> None:
    campaign = await returned(office, 3)
    office.clock.pass_time(minutes=10)
    office.note(polled_at=office.clock.now() - timedelta(days=2))
    await actions.show_map(
        office.services, office.request(), write(ReturnsOf.behind(campaign.id, None, ChannelId("C0ELSE"), "1.1"))
    )
    assert (office.slack.last.way, office.slack.last.place, office.slack.last.thread) == ("post", "C0ELSE", "1.1")
    (states,) = [one for one in office.drawn if isinstance(one, States)]
    assert [row[1:] for row in states.rows] == [(3, 4)]
    assert states.caption == "Oct 31, 2026", "as old as what is known"
    await actions.show_map(office.services, office.request(), write(ReturnsOf(campaign.id)))
    assert (office.slack.last.place, office.slack.last.thread) == (ANA, None)


@pytest.mark.parametrize(
    ("place", "trouble", "said"),
    [
        (("C0ELSE", "1.1"), None, "are posted in <#C0ELSE>, in the thread of the answer."),
        (("C0ELSE", ""), None, "are posted in <#C0ELSE>."),
        (("C0ELSE", ""), NotInChannel(), "Only you see the returns by state in <#C0ELSE>"),
        (("", ""), None, "in a direct message."),
    ],
)
async def test_the_desk_says_where_the_map_went(
    office: Office, place: tuple[str, str], trouble: NotInChannel | None, said: str
) -> None:
    campaign = await returned(office, 3)
    office.slack.fail("post", *([trouble] if trouble else []))
    value = write(ReturnsOf.behind(campaign.id, None, ChannelId(place[0]), place[1]))
    await actions.show_map(office.services, office.request(view_id="V1"), value)
    assert (office.slack.last.way, office.slack.last.place) == ("update", "V1")
    assert said in str(office.slack.last.shown)
    assert "*Spring lapsed*" in str(office.slack.last.shown), "the desk names its campaign"


async def test_a_map_of_nothing_is_not_drawn(office: Office) -> None:
    campaign = await office.campaign(D)
    await actions.show_map(office.services, office.request(), write(ReturnsOf(campaign.id)))
    assert office.drawn == []
    office.slack.fail("post", NotInChannel())
    await actions.show_map(office.services, office.request(), write(ReturnsOf(campaign.id)))
    assert office.slack.last.way == "answer"


def pressed(office: Office, **facts: Any) -> Any:
    piece = office.piece()
    shown = OneReturn(piece.id, piece.campaign_id, desk="V0")
    return office.request(**{"view_id": "V1", "metadata": write(shown)} | facts)


async def test_a_piece_opens_over_the_list(office: Office) -> None:
    campaign = await returned(office)
    value = write(OneReturn(office.piece().id, campaign.id, None, None, OPS, "1.1"))
    await actions.open_piece(office.services, office.request(view_id="V0"), value)
    assert office.slack.last.way == "push"
    assert office.slack.last.shown["private_metadata"] == write(
        OneReturn(office.piece().id, campaign.id, None, None, OPS, "1.1", "V0")
    )
    assert "1234 Main Street" in office.slack.last.text


async def test_an_address_is_checked_by_the_platform_where_it_is_known(office: Office) -> None:
    await returned(office)
    value = write(OnePiece(office.piece().id))
    office.mail.verdict = AddressCheck(False, Recipient())
    await actions.check_address(office.services, pressed(office), value)
    assert (
        returns_view.check_text(False, "") in office.slack.last.shown["blocks"].__str__()
        or "not know" in office.slack.last.text
    )
    office.mail.fail("check_address", PlatformDown("gone fishing"))
    await actions.check_address(office.services, pressed(office), value)
    assert "gone fishing" in office.slack.last.text
    calls = len(office.mail.calls)
    office.write(lambda c: c.exec_driver_sql("UPDATE pieces SET address = ''"))
    await actions.check_address(office.services, pressed(office), value)
    assert "know this piece's address yet" in office.slack.last.text
    assert len(office.mail.calls) == calls


@pytest.mark.parametrize(
    ("is_valid", "said", "logged"),
    [
        (True, ":white_check_mark: This address is in the postal database", "in the postal database"),
        (False, ":x: This address isn't in the postal database", "not in the postal database"),
    ],
)
async def test_what_the_register_says_is_shown_and_written_down(
    office: Office, is_valid: bool, said: str, logged: str
) -> None:
    await returned(office)
    office.mail.verdict = AddressCheck(is_valid, Recipient())
    await actions.check_address(office.services, pressed(office), write(OnePiece(office.piece().id)))
    assert said in str(office.slack.last.shown["blocks"])
    assert office.log() == [(Act.CHECKED, "piece 1001", logged)]


async def test_of_whom_is_erased_no_address_is_looked_up(office: Office) -> None:
    await returned(office)
    office.write(privacy.erase_piece, office.workspace.id, office.piece().id)
    calls = len(office.mail.calls)
    await actions.check_address(office.services, pressed(office), write(OnePiece(office.piece().id)))
    assert "This piece's recipient was erased, so there's no address to check." in str(office.slack.last.shown)
    assert (len(office.mail.calls), office.log()) == (calls, [])


async def test_a_reason_is_noted_once_by_who_chose_it(office: Office) -> None:
    await returned(office)
    reason = next(iter(REASONS))
    kept = office.write(intents.keep_taken, office.workspace.id, Kind.ASKED, {"by": ANA}, "", "k")
    assert kept is not None
    await actions.note_reason(office.services, pressed(office, kept=kept), write(Word(reason)))
    assert (note(office).reason, note(office).reason_by) == (reason, ANA)
    other = list(REASONS)[1]
    again = office.read(intents.of, office.workspace.id, kept.id)
    await actions.note_reason(office.services, pressed(office, kept=again), write(Word(other)))
    assert note(office).reason == reason, "the same request, answered by another process"
    with pytest.raises(Outdated):
        await actions.note_reason(office.services, pressed(office), write(Word("lost interest")))
    assert office.slack.last.way == "update"


async def test_a_return_is_settled_and_opened_again(office: Office) -> None:
    await returned(office)
    piece = office.piece().id
    await actions.mark_handled(office.services, pressed(office), write(Settled(piece, True)))
    assert (note(office).handled_by, note(office).handled_at) == (ANA, office.clock.now())
    await actions.mark_handled(office.services, pressed(office), write(Settled(piece, False)))
    assert note(office).handled_at is None
    with pytest.raises(Outdated):
        await actions.mark_handled(office.services, pressed(office), write(Settled(PieceId(99), True)))


@pytest.mark.parametrize("done", [True, False])
async def test_what_two_people_decide_at_once_is_one_decision(office: Office, done: bool) -> None:
    """Both saw the button that one of them pressed a moment earlier."""
    await returned(office)
    value = write(Settled(office.piece().id, done))
    if not done:
        await actions.mark_handled(office.services, pressed(office), write(Settled(office.piece().id, True)))
    lines = len(office.log())
    for person in (ANA, BEN):
        await actions.mark_handled(office.services, pressed(office, user=person), value)
    assert len(office.log()) == lines + 1
    assert note(office).handled_by == (ANA if done else ""), "it was Ana's decision, and stays hers"
    assert office.slack.of("update")[-2].place == "V1", "Ben sees how it stands"


async def test_a_reason_that_two_people_choose_at_once_is_noted_once(office: Office) -> None:
    await returned(office)
    for person in (ANA, BEN):
        await actions.note_reason(office.services, pressed(office, user=person), write(Word("N")))
    assert ([act for act, *_ in office.log()], note(office).reason_by) == ([Act.REASON], ANA)
    await actions.note_reason(office.services, pressed(office, user=BEN), write(Word("I")))
    assert (len(office.log()), note(office).reason_by) == (2, BEN), "another reason is another decision"


async def test_the_list_under_a_piece_shows_at_once_what_was_done_with_it(office: Office) -> None:
    await returned(office, 3)
    piece = office.piece().id
    await actions.mark_handled(office.services, pressed(office), write(Settled(piece, True)))
    own, listed = office.slack.of("update")
    assert (own.place, listed.place) == ("V1", "V0")
    assert "*1 of 3* handled." in listed.text
    assert f"handled by <@{ANA}>" in listed.text
    await actions.note_reason(office.services, pressed(office), write(Word("N")))
    assert (office.slack.last.place, "No such number" in office.slack.last.text) == ("V0", True)
    await actions.mark_handled(office.services, pressed(office), write(Settled(piece, False)))
    assert "*0 of 3* handled." in office.slack.last.text
    office.slack.fail("update_view", None, SlackRefused("not_found"))
    await actions.mark_handled(office.services, pressed(office), write(Settled(piece, True)))
    assert note(office).handled_by == ANA, "the list was closed meanwhile: that is no error"


async def test_what_the_register_said_stays_while_the_piece_is_shown(office: Office) -> None:
    await returned(office)
    office.mail.verdict = AddressCheck(True, Recipient(name="A & B", address="12 MAIN ST"))
    value = write(OnePiece(office.piece().id))
    await actions.check_address(office.services, pressed(office), value)
    kept = office.slack.last.shown["private_metadata"]
    await actions.mark_handled(office.services, pressed(office, metadata=kept), write(Settled(office.piece().id, True)))
    own = next(one for one in office.slack.of("update")[1:] if one.place == "V1")
    assert "12 MAIN ST" in own.text
    assert "A &amp; B" in own.text
    assert own.shown["private_metadata"] == kept


def test_what_people_note_is_kept() -> None:
    assert {one for one, press in TABLE.actions.items() if press.kept} == {Action.RETURN_REASON, Action.RETURN_HANDLED}


async def test_a_file_asked_for_on_the_desk_names_the_desk(office: Office) -> None:
    campaign = await returned(office)
    await actions.open_desk(office.services, office.request(), write(OneCampaign(campaign.id)))
    shown = office.slack.last.shown
    (value,) = [value for action, value in pressable(shown["blocks"]) if action == Action.DETAILS_EXPORT]
    await pieces.export(office.services, office.request(metadata=shown["private_metadata"]), value)
    assert office.slack.files[-1][1].comment == "1 piece of *Spring lapsed*, as asked for in *Returns*."
