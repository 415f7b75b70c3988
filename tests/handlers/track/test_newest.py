"""`/mailtrack` and nothing, or what came back: the newest pieces to choose from."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from handlers.errors import Refusal
from handlers.text.buttons import Action, OnePiece
from handlers.text.codec import write
from handlers.track import newest
from handlers.track.commands import mail_track
from storage.queries import returns
from storage.records import Batch, Change
from storage.statuses import Status
from tests.builders import JANE
from tests.handlers.conftest import ANA, GUS, Office, pressable

D, T, R = Status.DELIVERED, Status.IN_TRANSIT, Status.RETURNED


async def ask(office: Office, typed: str, **facts: Any) -> str:
    await mail_track(office.services, office.request(typed, **facts))
    return f"{office.slack.last.text} {office.slack.last.shown.blocks}"


async def account(office: Office, apart: timedelta = timedelta(0)) -> None:
    """Two campaigns, of each of which something came back: of the second so much later."""
    await office.campaign(D, T, R, ref="222", name="Spring postcard")
    office.clock.moment += apart
    other = replace(JANE, name="Sean O'Brien", address="77 North Oak Avenue", postcode="80202", city="Denver")
    await office.campaign(T, R, ref="223", name="Holiday drop", piece={"recipient": other})


async def one_today(office: Office) -> None:
    """The account as it stood five days ago, and one more piece that came back since."""
    office.clock.pass_time(days=-5)
    await account(office)
    office.clock.pass_time(days=5)
    await office.learn(Batch((), (), (Change("1002", R, office.clock.now(), word="returned"),)))


async def test_alone_it_offers_what_came_back_and_what_moves_and_says_what_to_type(office: Office) -> None:
    await account(office)
    said = await ask(office, "")
    assert "Where is this piece?" in said
    assert "`/mailtrack Jane Smith`" in said
    (menu,) = [
        one
        for block in office.slack.last.shown.blocks
        for one in block.get("elements", ())
        if one.get("action_id") == Action.PICK_PIECE
    ]
    options = [f"{one['text']['text']} {one['description']['text']}" for one in menu["options"]]
    assert len(options) == 4
    assert ["Returned" in one for one in options] == [True, True, False, False], "what came back comes first"
    assert any("Sean O'Brien" in one and "Holiday drop" in one for one in options)


async def test_without_mail_and_for_guests_it_says_what_to_type(office: Office) -> None:
    assert Action.PICK_PIECE not in await ask(office, "")
    await account(office)
    assert Action.PICK_PIECE not in await ask(office, "", user=GUS, guest=True)


@pytest.mark.parametrize("typed", ["returned", "what came back?", "the last one that came back", "show me returns",
                                   "recent returns", "who came back",
                                   "have any been returned", "returned to sender", "what was returned to us?", "any bounced mail lately?", "has anyone's come back?",
                                   "what's come back?", "What’s come back", "did it come back?", "have they come back yet",
                                   "did he come back?", "export returns", "csv of what came back", "undeliverable addresses",
                                   "who's come back?", "which ones have been sent back to us", "all returns please", "a list of returns",
                                   "last 5 returns", "what did USPS return", "any RTS?", "bad addresses",
                                   "has the post office returned anything"])  # fmt: skip
async def test_what_came_back_is_offered_newest_first(office: Office, typed: str) -> None:
    await account(office)
    said = await ask(office, typed)
    assert said.startswith("2 pieces came back so far:"), said
    assert "In Transit" not in said
    assert "Sean O'Brien" in said


@pytest.mark.parametrize("typed", ["returned", ""])
async def test_the_latest_return_comes_first_of_whichever_campaign_it_is(office: Office, typed: str) -> None:
    await account(office, timedelta(hours=1))
    office.clock.pass_time(hours=1)
    await office.learn(Batch((), (), (Change("1002", R, office.clock.now(), word="returned"),)))
    await ask(office, typed)
    (menu,) = [
        one
        for block in office.slack.last.shown.blocks
        for one in block.get("elements", ())
        if one.get("action_id") == Action.PICK_PIECE
    ]
    latest = [write(OnePiece(office.piece(ref).id)) for ref in ("1002", "2002", "1003")]
    assert [one["value"] for one in menu["options"]][:3] == latest


@pytest.mark.parametrize("typed", ["did Zoe Nobody come back?", "Zoe Nobody came back", "was Nobody's card returned?",
                                   "has the letter to Zoe bounced yet?"])  # fmt: skip
async def test_of_a_name_that_nothing_goes_to_nobody_elses_returns_are_the_answer(office: Office, typed: str) -> None:
    await account(office)
    said = await ask(office, typed)
    assert said.startswith("I found no piece for"), said
    assert "came back so far" not in said
    assert "Sean O'Brien" not in said, "nor as a choice"
    assert Action.PICK_PIECE not in said


@pytest.mark.parametrize(
    "typed", ["did Sean come back?", "did Sean O'Brien's card come back", "was the letter to Sean returned?"]
)
async def test_whether_one_came_back_is_answered_with_what_goes_there(office: Office, typed: str) -> None:
    await account(office)
    assert "2 pieces match" in await ask(office, typed)


@pytest.mark.parametrize(
    "typed",
    ["came back in November", "what's come back this month?", "came back since Monday", "which ones came back today",
     "came back this morning", "returns today", "did anything come back this week?", "Nov 2 returns"],
)  # fmt: skip
async def test_what_came_back_in_certain_days_is_what_did_so_then(office: Office, typed: str) -> None:
    await one_today(office)
    said = await ask(office, typed)
    assert said.startswith("1 piece came back "), said
    assert "Counted by the day it came back" in said
    assert said.count("Returned") == 1, "in the menu: the others came back in October"


@pytest.mark.parametrize(
    "typed",
    [
        "came back last night",
        "what came back over the weekend",
        "returned in September",
        "returns 2019",
        "came back until 2020-01-01",
    ],
)
async def test_of_days_in_which_nothing_came_back_it_is_said_what_did_since(office: Office, typed: str) -> None:
    await account(office)
    said = await ask(office, typed)
    assert said.startswith("Nothing came back "), said
    assert ". Since then 2 pieces have:" in office.slack.last.text
    assert said.count("Returned") == 2
    assert "Counted by the day it came back" in said


async def test_where_nothing_came_back_since_either_it_is_said_what_did_before(office: Office) -> None:
    await account(office)
    office.clock.pass_time(days=20)
    said = await ask(office, "what came back last week?")
    assert said.startswith("Nothing came back last week, Nov 9–15, 2026. Came back last before that:"), said
    assert said.count("Returned") == 2
    said = await ask(office, "Holiday drop came back yesterday")
    assert said.startswith("Nothing of *Holiday drop* came back Nov 21, 2026. Came back last before that:"), said
    assert "Spring postcard" not in said


async def test_why_it_came_back_stands_beside_each_piece_of_which_somebody_noted_it(office: Office) -> None:
    await account(office)
    said = await ask(office, "who came back today?")
    assert "*Why:* USPS gives a reason only sometimes, on the piece itself, and I'm not sent it." in said
    assert "*Why:*" not in office.slack.last.text, "nobody asked"
    office.write(returns.note_reason, office.workspace.id, office.piece("1003").id, "N", ANA)
    said = await ask(office, "who came back today and why?")
    assert "*Jane Smith*, Austin 78701 · <!date" in said
    assert "|Nov 2, 2026> · _No such number_" in said
    assert office.slack.last.text.startswith("2 pieces came back today, Nov 2, 2026: *Why:* USPS gives a reason")
    desks = [one for one in pressable(office.slack.last.shown.blocks) if one[0] == Action.RETURNS]
    assert len(desks) == 2, "each campaign's desk is one press away"
    for ref in ("1003", "2002"):
        office.write(returns.note_reason, office.workspace.id, office.piece(ref).id, "V", ANA)
    assert "*Why:*" not in await ask(office, "who came back today and why?"), "all of it is known"
    office.write(returns.settle, office.workspace.id, office.piece("1003").id, ANA, office.clock.now())
    assert "· _Vacant_ · handled" in await ask(office, "what came back today")


async def test_of_more_than_are_listed_it_is_said_how_many_there_are(office: Office) -> None:
    await office.campaign(*[R] * 7, T)
    said = await ask(office, "what came back today?")
    assert said.startswith("7 pieces came back today, Nov 2, 2026. The latest 5:"), said
    assert said.count("• ") == 5
    assert Action.FOUND_LIST in said
    assert (await ask(office, "what came back?")).startswith("7 pieces came back so far. The latest 5:")


async def test_of_several_campaigns_that_are_called_so_all_are_meant(office: Office) -> None:
    await account(office)
    await office.campaign(R, ref="224", name="Spring welcome")
    said = await ask(office, "spring came back today")
    assert said.startswith("2 pieces of *spring* came back today, Nov 2, 2026:"), said
    assert "Holiday drop" not in said


async def test_before_anything_came_back_that_is_said(office: Office) -> None:
    await office.campaign(D, T)
    for typed in ("what came back?", "any returns?"):
        assert (await ask(office, typed)).startswith("Nothing has come back so far.")
    assert (await ask(office, "what came back last week?")).startswith("Nothing came back ")


async def march(office: Office, *names: str) -> None:
    """Campaigns of which one piece each came back in March, the last named last, and one in November beside them."""
    office.clock.pass_time(days=-237)
    for number, name in enumerate(names):
        who = {"recipient": replace(JANE, name=f"Pat {number}")}
        day = office.clock.now() - timedelta(days=5)
        await office.campaign(R, T, ref=str(240 + number), name=name, piece=who, created_at=day)
        office.clock.pass_time(hours=1)
    office.clock.pass_time(days=237)
    await office.campaign(T, R, ref="230", name="Newer", piece={"recipient": replace(JANE, name="Nora New")})


async def test_what_came_back_long_ago_is_found_behind_newer_campaigns(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newest, "OF_DAYS", 1)
    await march(office, "March sale")
    said = await ask(office, "came back in March")
    assert said.startswith("At least 1 piece came back in March 2026:"), said
    assert "Pat 0" in said
    assert "Nora New" not in said


async def test_where_not_all_campaigns_of_that_time_were_looked_through_that_is_said(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newest, "LOOKED_THROUGH", 1)
    await march(office, "March sale", "Other sale")
    some = "in your latest campaign of that time with returns; others may have more."
    said = await ask(office, "came back in March")
    assert said.startswith("At least 1 piece came back in March 2026:"), said
    assert "Pat 1" in said
    assert f"Counted by the day it came back, {some}" in said
    said = await ask(office, "came back 2026-03-09")
    assert said.startswith("Nothing came back Mar 9, 2026 in your latest campaign of that time with returns."), said
    monkeypatch.undo()
    assert "Counted by the day it came back. " in await ask(office, "came back in March")


@pytest.mark.parametrize(
    "typed",
    ["March sale 2 came back in March", "March sale 2 came back during March?", "March sale 2 returns in Q1"],
)
async def test_of_a_campaign_what_came_back_in_certain_days_is_its_own(office: Office, typed: str) -> None:
    await march(office, "March sale 2", "Other sale", "March sale 1")
    said = await ask(office, typed)
    assert said.startswith("1 piece of *March sale 2* came back in "), said
    assert "Pat 0" in said
    assert not [one for one in ("Pat 1", "Pat 2", "Nora New") if one in said]


async def test_of_a_campaign_of_which_nothing_came_back_then_that_is_said(office: Office) -> None:
    await march(office, "March sale")
    assert (await ask(office, "March sale came back last week")).startswith("Nothing of *March sale* came back ")


@pytest.mark.parametrize("typed", ["came back in Foo", "did 2026-02-30 come back", "came back until 9999-12-31"])
async def test_days_that_are_none_raise_nothing_but_a_refusal(office: Office, typed: str) -> None:
    await account(office)
    try:
        assert await ask(office, typed)
    except Refusal as refusal:
        assert str(refusal)


@pytest.mark.parametrize(("name", "typed"), [("May Lee", "did May come back?"), ("Will Park", "has Will come back")])
async def test_a_name_that_exists_is_meant_though_it_is_a_month_or_a_verb(
    office: Office, name: str, typed: str
) -> None:
    await account(office)
    await office.campaign(R, ref="224", name="Late drop", piece={"recipient": replace(JANE, name=name)})
    assert name in await ask(office, typed)
    assert "Sean" not in office.slack.last.text + str(office.slack.last.shown.blocks)


async def test_a_name_that_only_begins_so_is_no_month(office: Office) -> None:
    await account(office)
    await office.campaign(D, ref="224", name="Late drop", piece={"recipient": replace(JANE, name="Mayer Lee")})
    said = await ask(office, "came back in May")
    assert said.startswith("Nothing came back in May 2026"), said


@pytest.mark.parametrize(
    "typed",
    ["What happened to Sean O'Brien?", "what's happening with Sean O'Brien's postcard", "has sean obrien received it yet",
     "when will Sean O'Brien get his letter?", "tell me about Sean O'Brien", "why hasn't Sean O'Brien gotten his card",
     "I need to know if Sean O'Brien got it", "did Sean’s mail reach him"],
)  # fmt: skip
async def test_a_question_about_a_recipient_finds_what_goes_there(office: Office, typed: str) -> None:
    await account(office)
    said = await ask(office, typed)
    assert "2 pieces match" in said, said


async def test_a_word_of_a_question_that_is_a_name_is_looked_for(office: Office) -> None:
    await account(office)
    for ref, name in (("224", "Jane Still"), ("225", "Jane Roe"), ("226", "Li He"), ("227", "Lisa Ho")):
        await office.campaign(T, ref=ref, name=f"To {name}", piece={"recipient": replace(JANE, name=name)})
    for typed, name in (("where is Jane Still's letter?", "Jane Still"), ("did Li He get it?", "Li He")):
        await mail_track(office.services, office.request(typed))
        said = f"{office.slack.last.text} {office.slack.last.shown.blocks}"
        assert name in said
        assert not [one for one in ("Jane Roe", "Lisa Ho") if one in said], typed


async def test_of_several_each_says_its_campaign_before_the_menu_is_opened(office: Office) -> None:
    await account(office)
    said = await ask(office, "obrien")
    (lines,) = [one["text"]["text"] for one in office.slack.last.shown.blocks if "•" in str(one.get("text"))]
    assert "2 pieces match “obrien”" in said
    assert [line.count("Holiday drop") for line in lines.splitlines()] == [1, 1]
    assert "*Sean O'Brien*" in lines


@pytest.mark.parametrize(
    "typed", ["where is Sean O'Brien's letter?", "did Sean get his postcard?", "everything for Sean"]
)
async def test_words_around_a_recipient_are_left_out(office: Office, typed: str) -> None:
    await account(office)
    assert "2 pieces match" in await ask(office, typed)


@pytest.mark.parametrize("typed", ["latest", "any stuck pieces?", "Zzyzx"])
async def test_where_nothing_is_found_some_pieces_are_offered(office: Office, typed: str) -> None:
    await account(office)
    said = await ask(office, typed)
    assert "I found no piece for" in said
    assert Action.PICK_PIECE in said
    assert Action.PICK_PIECE not in await ask(office, typed, user=GUS, guest=True)


async def test_the_latest_return_is_told_though_many_campaigns_have_newer_mail(office: Office) -> None:
    await account(office)
    for ref in ("224", "225"):
        office.clock.pass_time(hours=1)
        await office.campaign(
            T, R, R, ref=ref, name=f"Drop {ref}", piece={"recipient": replace(JANE, name=f"To {ref}")}
        )
    office.clock.pass_time(days=1)
    await office.learn(Batch((), (), (Change("1002", R, office.clock.now(), word="returned"),)))
    office.clock.pass_time(hours=1)
    landed = [Change(ref, D, office.clock.now(), word="delivered") for ref in ("2001", "3001", "4001")]
    await office.learn(Batch((), (), tuple(landed)))
    await ask(office, "what came back?")
    first = next(str(one) for one in office.slack.last.shown.blocks if "• " in str(one))
    assert "Spring postcard" in first, first


async def test_where_more_campaigns_have_returns_than_are_looked_through_none_is_called_the_latest(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newest, "LOOKED_THROUGH", 1)
    await office.campaign(T, R, R, ref="222", name="First")
    office.clock.pass_time(hours=1)
    await office.campaign(T, R, R, ref="223", name="Second")
    # It changed last, and what came back of it did so before the other.
    await office.learn(Batch((), (), (Change("1001", D, office.clock.now() + timedelta(hours=1), word="delivered"),)))
    said = await ask(office, "what came back?")
    assert said.startswith("4 pieces came back so far. 2 of them:"), said


async def test_what_came_back_since_is_at_least_so_much_where_not_all_was_looked_through(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(newest, "LOOKED_THROUGH", 1)
    await account(office)
    assert ". Since then at least 1 piece has:" in await ask(office, "returned in September")
