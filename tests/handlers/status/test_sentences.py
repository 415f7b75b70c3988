"""Whole sentences behind `/mailstatus`, and what is no question at all."""

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from rapidfuzz import process

from handlers.errors import Refusal
from handlers.status.commands import mail_status
from handlers.text import ranges
from handlers.text.days_ahead import NoSuchDay
from handlers.track.commands import mail_track
from storage.records import CampaignStage
from storage.statuses import Status
from tests.builders import JANE, START
from tests.handlers.conftest import GUS, Office

D, T, R = Status.DELIVERED, Status.IN_TRANSIT, Status.RETURNED


async def ask(office: Office, typed: str) -> str:
    await mail_status(office.services, office.request(typed))
    return office.slack.last.text


@pytest.fixture
async def account(office: Office) -> Office:
    await office.campaign(D, T, R, ref="222", name="Spring postcard")
    await office.campaign(T, T, ref="223", name="Holiday drop", created_at=START + timedelta(days=1),
                          piece={"dispatched_at": START})  # fmt: skip
    return office


@pytest.mark.parametrize(
    "typed",
    ["how many of the Spring cards bounced?", "how many spring letters were returned", "did the Spring mailers bounce"],
)
async def test_what_mail_is_printed_on_is_no_part_of_its_name(account: Office, typed: str) -> None:
    assert "Spring postcard: 33% delivered, 34% in transit, 1 came back." in await ask(account, typed)


@pytest.mark.parametrize(
    "typed",
    [
        "where is the spring postcard right now?",
        "has the spring mailer been delivered yet?",
        "has the spring postcard been sent?",
        "wheres the spring postcard",
        "whats happening with spring?",
        "any news on spring?",
        "how's the spring postcard coming along?",
        "is spring done?",
        "is the spring postcard on track?",
        "is Spring ahead or behind, and why?",
        "is the spring postcard ahead of schedule?",
        "is spring running late or early?",
        "is spring behind?",
        "the spring mailer's status pls",
        "hows spring doin",
        "why is spring so slow",
        "what's spring costing us",
        "has everybody gotten spring",
        "Spring (last month)",
    ],
)
async def test_a_sentence_about_a_campaign_is_about_that_campaign_alone(account: Office, typed: str) -> None:
    said = await ask(account, typed)
    assert said.startswith("Spring postcard: "), said


@pytest.mark.parametrize(
    "typed",
    [
        "where's my stuff",
        "wheres our stuff?",
        "returns",
        "how many came back?",
        "letters",
        "all postcards",
        "what's arriving tomorrow",
        "what's in the mail right now?",
        "what's left to deliver?",
        "how many are still in transit?",
        "who hasn't gotten theirs yet",
        "total spend YTD",
        "did anything land in October?",
        "are we on track?",
    ],
)
async def test_a_sentence_about_all_mail_shows_all_of_it(account: Office, typed: str) -> None:
    said = await ask(account, typed)
    assert "5 pieces" in said, said
    if "back" in typed or "returns" in typed:
        assert "press *Returns* below" in str(account.slack.last.shown.blocks)


@pytest.mark.parametrize(
    "typed",
    ["what came back last week", "came back this morning", "returns in October", "what came back since Monday?",
     "who came back today and why?", "how many came back this month?", "did anyone's come back today", "bounced today",
     "Spring postcard came back today", "what came back of the Holiday drop last week?", "what's coming back?",
     "whats coming back", "which pieces were returned?", "who came back, and why?", "returned today from Austin?"],
)  # fmt: skip
async def test_what_came_back_is_answered_by_the_day_it_did_as_mailtrack_answers_it(
    account: Office, typed: str
) -> None:
    said = await ask(account, typed)
    assert re.match(r"Nothing (?:of \*[^*]+\* )?came back |\d+ (?:of \d+ )?pieces? ", said), said
    shown = account.slack.last
    await mail_track(account.services, account.request(typed))
    assert account.slack.last == replace(shown, ts=account.slack.last.ts)
    assert shown.way == "answer", "names are for the asker alone"


async def test_before_who_came_back_is_named_slack_is_asked_who_asks(account: Office) -> None:
    lately: dict[str, Any] = {"nameless": True, "open_to_guests": True}
    with pytest.raises(Refusal):
        await mail_status(account.services, account.request("who came back today?", user=GUS, **lately))
    assert account.slack.said == []
    await mail_status(account.services, account.request("who came back today?", **lately))
    assert "Jane Smith" in str(account.slack.last.shown.blocks)
    assert account.clock.now() in account.slack.asked_since


@pytest.mark.parametrize(
    "typed", ["return rate last week", "what % came back in October?", "returns last week vs today"]
)
async def test_a_share_of_what_came_back_is_one_of_what_was_ordered_then(account: Office, typed: str) -> None:
    await ask(account, typed)
    assert account.slack.last.way == "post"
    if "vs" not in typed:
        shown = str(account.slack.last.shown.blocks)
        assert "This counts mail ordered " in shown
        command = shown.partition("`/mailtrack ")[2].partition("`")[0]
        await mail_track(account.services, account.request(command))
        assert re.match(r"Nothing came back |\d+ pieces? came back ", account.slack.last.text), command


async def test_a_campaign_that_is_called_returns_is_meant_by_its_name(account: Office) -> None:
    await account.campaign(D, ref="224", name="Fall returns")
    for typed in ("Fall returns last month", "fall returns"):
        assert (await ask(account, typed)).startswith("Fall returns: ")


@pytest.mark.parametrize("typed", ["letters in Oct", "how many postcards went out last month?", "all cards October"])
async def test_what_mail_is_printed_on_is_not_counted_apart_and_that_is_said(account: Office, typed: str) -> None:
    assert re.match(
        r"I don't count (?:letters|postcards|cards) apart: this is all your mail\. ", await ask(account, typed)
    )
    assert "5 pieces" in account.slack.last.text or "cards" in typed
    await account.campaign(D, ref="224", name="Thank-you letters")
    assert "this is all your mail" in await ask(account, typed)
    assert (await ask(account, "letters")).startswith("Thank-you letters: ")
    await account.campaign(D, ref="225", name="Letters")
    assert ("Letters: " in await ask(account, typed)) is ("letters" in typed)


@pytest.mark.parametrize(
    "typed", ["what landed last week?", "delivered yesterday", "what's landing this week", "Spring delivered last week"]
)
async def test_who_asks_what_arrived_in_certain_days_reads_that_days_are_those_of_its_order(
    account: Office, typed: str
) -> None:
    await ask(account, typed)
    assert re.search(r"This counts mail ordered [^*]+, whenever it's delivered\.", account.slack.last.text), typed
    await ask(account, "last week")
    assert "This counts" not in account.slack.last.text


@pytest.mark.parametrize(
    "typed",
    ["how far along are we with the spring postcard", "what's the hold up on spring?", "hi! how is spring doing?",
     "is anything of Spring stuck at the post office?", "how many spring pieces never made it", "bad addresses from spring"],
)  # fmt: skip
async def test_more_that_people_say_around_a_name_is_no_part_of_it(account: Office, typed: str) -> None:
    assert "Spring postcard: " in await ask(account, typed)


@pytest.mark.parametrize(
    "typed", ["morning! how are we doing?", "what's booked", "upcoming drops", "next mailing?", "cancelled pieces",
              "which drop is doing worst?", "anything stuck at the post office?"],
)  # fmt: skip
async def test_more_that_asks_for_all_mail_shows_all_of_it(account: Office, typed: str) -> None:
    assert "5 pieces" in await ask(account, typed)


@pytest.mark.parametrize(
    "typed", ["what does handed over mean", "what’s “delivered” mean?", "what do the statuses mean?"]
)
async def test_who_asks_what_a_status_means_reads_what_each_does(account: Office, typed: str) -> None:
    assert (await ask(account, typed)).startswith("Where is our mail?")
    assert "scanned by USPS on its way" in str(account.slack.last.shown.blocks)
    assert "5 pieces" in await ask(account, "what's in transit?")


@pytest.mark.parametrize(
    "typed", ["anything late?", "is any mail late?", "are we on track?", "what's delayed", "is anything stuck?", "late",
              "any stuck pieces?", "are we behind?", "is our mail running late?"],
)  # fmt: skip
async def test_whether_anything_is_late_is_said_first(account: Office, typed: str) -> None:
    said = await ask(account, typed)
    assert said.startswith("Your mail: Nothing is late. Too early to tell: "), said
    assert "5 pieces" in said
    assert account.slack.last.shown.blocks[1]["text"]["text"].startswith("*Nothing is late.*\nToo early to tell: ")


async def test_what_came_back_at_any_time_needs_no_such_words(account: Office) -> None:
    await ask(account, "returns")
    assert "This counts" not in str(account.slack.last.shown.blocks)


@pytest.mark.parametrize(
    ("name", "typed"),
    [
        ("Port", "export for Port"),
        ("Turn", "returns of Turn"),
        ("Back", "what came back of Back?"),
        ("CSV drop", "csv of CSV drop"),
    ],
)
async def test_what_is_asked_beside_a_name_is_no_part_of_a_word(account: Office, name: str, typed: str) -> None:
    await account.campaign(D, R, ref="224", name=name)
    assert name in await ask(account, typed)
    assert ("*Returns* below" if "export" not in typed and "csv" not in typed else "*Export CSV*") in str(
        account.slack.last.shown.blocks
    )


@pytest.mark.parametrize("typed", ["what % of spring came back", "return rate for spring?", "export Spring to csv"])
async def test_what_is_asked_beside_a_name_leads_to_its_button(account: Office, typed: str) -> None:
    said = await ask(account, typed)
    assert "Spring postcard: 33% delivered" in said
    assert "press *" in said.partition("Spring postcard: ")[0]


async def test_a_campaign_that_is_called_back_is_not_what_came_back(account: Office) -> None:
    await account.campaign(D, R, ref="224", name="Back")
    assert (await ask(account, "what came back?")).startswith("2 pieces came back so far:")
    assert (await ask(account, "how is Back")).startswith("Back: ")


@pytest.mark.parametrize("typed", ["now", "right now", "what's in the mail right now", "Now?"])
async def test_now_is_all_that_moves_and_not_this_day_of_orders(account: Office, typed: str) -> None:
    assert "5 pieces" in await ask(account, typed)


@pytest.mark.parametrize("typed", ["Export", "csv drop"])
async def test_of_a_name_alone_no_word_asks_for_anything(account: Office, typed: str) -> None:
    await account.campaign(D, R, ref="224", name="Export")
    await account.campaign(D, R, ref="225", name="CSV drop")
    await ask(account, typed)
    assert "*Export CSV*" not in str(account.slack.last.shown.blocks)


@pytest.mark.parametrize(
    "typed", ["Holiday in home by Dec 12?", "Holiday drop in home by Dec 12", "will holiday be in homes by 12/12?",
              "is the holiday drop in home by the 12th", "will Holiday land by Dec 12?", "can Holiday arrive by 12/12",
              "does the holiday drop reach mailboxes by Dec 12?", "will holiday be there by Friday?"],
)  # fmt: skip
async def test_whether_a_campaign_will_be_in_homes_by_a_day_is_said_with_its_chance(
    account: Office, typed: str
) -> None:
    assert "Holiday drop: " in await ask(account, typed)
    assert "The chance that nearly all of it is in homes by " in account.slack.last.text
    assert "Nothing of it was ordered" not in account.slack.last.text


async def test_of_what_was_not_handed_over_the_mailing_date_is_said_with_the_chance(account: Office) -> None:
    await account.campaign(Status.RECEIVED, ref="224", name="Winter", send_on=date(2026, 12, 1))
    assert "in homes by Dec 12, if it's handed to USPS on Dec 1, is *" in await ask(
        account, "Winter in home by Dec 12?"
    )
    await account.campaign(Status.CANCELLED, ref="225", name="Gone", stage=CampaignStage.CANCELLED)
    assert "The chance" not in await ask(account, "Gone in home by Dec 12?")
    assert "Nov 1, 2026 is already over." in await ask(account, "Winter in home by 2026-11-01")


async def test_a_campaign_that_is_called_after_homes_is_meant_by_its_name(account: Office) -> None:
    await account.campaign(D, ref="224", name="Postcards in home by Easter")
    for typed in ("postcards in home by easter", "Cards in home by Easter"):
        assert "Postcards in home by Easter: " in await ask(account, typed)


@pytest.mark.parametrize(
    "typed",
    [
        "Spring in home by 9999-12-31",
        "Spring in home by 2/30?",
        "Spring in home by the 32nd",
        "when to book for 9999-12-31",
    ],
)
async def test_a_day_ahead_that_is_none_is_refused_in_words(account: Office, typed: str) -> None:
    with pytest.raises(NoSuchDay, match="These work"):
        await ask(account, typed)


@pytest.mark.parametrize(
    "typed", ["9" * 19, "#" + "9" * 30, "campaign 9223372036854775808", "last " + "9" * 30 + " days", "9" * 200,
              f"Spring vs {'9' * 40}", "9" * 12 + "/" + "9" * 12, "since 99999999999999999999-01-01"],
)  # fmt: skip
async def test_numbers_larger_than_any_raise_nothing_but_a_refusal(account: Office, typed: str) -> None:
    for answer in (mail_status, mail_track):
        try:
            await answer(account.services, account.request(typed))
        except Refusal as refusal:
            assert str(refusal)


@pytest.mark.parametrize("often", [7, 60])
async def test_a_word_said_sixty_times_is_looked_for_no_more_often_than_a_few_times(
    account: Office, monkeypatch: pytest.MonkeyPatch, often: int
) -> None:
    """Counted, not timed: names that are compared letter by letter, and expressions that are tried as a range."""
    compared, tried = Mock(wraps=process.extract), Mock(wraps=ranges.read_range)
    monkeypatch.setattr(process, "extract", compared)
    monkeypatch.setattr(ranges, "read_range", tried)
    await ask(account, "vs " * often)
    assert compared.call_count <= 12
    assert tried.call_count <= 200


@pytest.mark.parametrize("typed", ["show me the latest campaign", "the newest drop", "our last campaign", "latest one"])
async def test_the_latest_campaign_is_the_latest(account: Office, typed: str) -> None:
    assert (await ask(account, typed)).startswith("Showing *Holiday drop*, the latest. Holiday drop: ")


@pytest.mark.parametrize(
    "typed", ["hello", "Hi!", "thanks", "Thank you!", "hey there", "what can you do?", "what can I type"]
)
async def test_who_says_hello_or_thanks_is_told_what_to_type(account: Office, typed: str) -> None:
    assert (await ask(account, typed)).startswith("Where is our mail?")
    assert account.slack.last.way == "answer"


async def test_a_campaign_that_is_called_so_is_meant_all_the_same(account: Office) -> None:
    await account.campaign(D, ref="224", name="Thank you")
    assert (await ask(account, "thank you")).startswith("Thank you: ")
    await account.campaign(D, ref="225", name="Latest")
    assert (await ask(account, "latest")).startswith("Latest: ")


@pytest.mark.parametrize(
    ("typed", "name"),
    [("great", "Great Lakes"), ("thanks", "Thanks donors 2026"), ("ok", "OK, Boomer"), ("Hello!", "Say hello")],
)
async def test_where_a_campaign_is_called_so_a_word_is_no_greeting(account: Office, typed: str, name: str) -> None:
    await account.campaign(D, ref="224", name=name)
    await mail_status(account.services, account.request(typed, user=GUS, guest=True))
    assert account.slack.last.text.startswith("What you can ask here"), (
        "a guest is not told that there is such a campaign"
    )
    assert name not in str(account.slack.last.shown.blocks)
    assert (await ask(account, typed)).startswith(f"{name}: ")


async def test_a_part_of_a_word_is_a_greeting_all_the_same(account: Office) -> None:
    await account.campaign(D, ref="224", name="Hiking and Oklahoma shipping")
    for typed in ("hi", "ok"):
        assert (await ask(account, typed)).startswith("Where is our mail?")


@pytest.mark.parametrize("typed", ["obrien", "OBrien", "Sean OBrien", "o’brien"])
async def test_a_recipients_name_is_found_with_and_without_its_mark(account: Office, typed: str) -> None:
    other = {"recipient": replace(JANE, name="Sean O'Brien")}
    await account.campaign(T, ref="224", name="Fall catalog", piece=other)
    assert "is a piece of mail" in await ask(account, typed)
    assert "Sean O'Brien" in str(account.slack.last.shown.blocks)


@pytest.mark.parametrize(
    "typed", ["Sprng postcard came back last week", "did the Sprng postcard come back this month?"]
)
async def test_of_a_mistyped_name_with_returns_and_days_its_campaign_is_shown(account: Office, typed: str) -> None:
    said = await ask(account, typed)
    assert said.startswith("Showing *Spring postcard*: no campaign is called "), said


@pytest.mark.parametrize(
    "typed", ["Spring came back this month", "Austin came back this month", "what came back today"]
)
async def test_of_a_name_a_place_and_nobody_it_is_said_what_came_back_in_these_days(
    account: Office, typed: str
) -> None:
    assert " came back " in (await ask(account, typed)).partition(":")[0]


@pytest.mark.parametrize("typed", ["what did Guest Welcome do last month?", "what does Guest Welcome look like?",
                                   "how much did guest welcome do"])  # fmt: skip
async def test_a_campaign_that_is_called_after_guests_is_not_what_guests_see(account: Office, typed: str) -> None:
    await account.campaign(D, ref="224", name="Guest Welcome")
    said = await ask(account, typed)
    assert "A guest sees" not in said, said
    assert (await ask(account, "what do guests see?")).startswith("A guest sees")


@pytest.mark.parametrize(
    ("typed", "mail"), [("what's booked?", "upcoming"), ("next drop", "upcoming"), ("scheduled", "upcoming"),
                        ("cancelled", "cancelled"), ("cancelled pieces", "cancelled"), ("cancellations?", "cancelled")],
)  # fmt: skip
async def test_where_all_mail_is_shown_though_some_was_asked_for_that_is_said(
    account: Office, typed: str, mail: str
) -> None:
    said = await ask(account, typed)
    assert said.startswith(f"I can't show {mail} mail alone: this is all your mail. Your mail: "), said
    assert "alone" not in await ask(account, "our mail")
