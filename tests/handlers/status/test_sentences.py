"""Whole sentences behind `/mailstatus`, and what is no question at all."""

from dataclasses import replace
from datetime import timedelta

import pytest

from handlers.status.commands import mail_status
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
    await office.campaign(T, T, ref="223", name="Holiday drop", created_at=START + timedelta(days=1))
    return office


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
        "what's coming back?",
        "whats coming back",
        "which pieces were returned?",
        "which ones came back?",
        "what's arriving tomorrow",
        "what's in the mail right now?",
        "what's left to deliver?",
        "how many are still in transit?",
        "who hasn't gotten theirs yet",
        "are we on track?",
    ],
)
async def test_a_sentence_about_all_mail_shows_all_of_it(account: Office, typed: str) -> None:
    said = await ask(account, typed)
    assert "5 pieces" in said, said
    if "back" in typed or "returned" in typed:
        assert "press *Returns* below" in str(account.slack.last.shown.blocks)


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
    assert account.slack.last.text.startswith("Where is our mail?"), "a guest is not told that there is such a campaign"
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
