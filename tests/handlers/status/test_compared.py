"""Which two are meant: what one side lacks is the other's, and what is not clear is asked instead of answered."""

import pytest

from handlers.status import commands
from handlers.text.buttons import Action
from handlers.text.parsing import RangeRefused
from storage.statuses import Status
from tests.handlers.conftest import GUS, Office

NAMES = ("Spring", "Fall", "Winter Gala", "Summer Sale 2025", "Summer Sale 2026")


async def ask(office: Office, text: str, **facts: object) -> str:
    """What is posted; what is asked back is "?" with what each button compares."""
    for number, name in enumerate(NAMES):
        await office.campaign(Status.DELIVERED, ref=str(222 + number), name=name)
    await commands.mail_status(office.services, office.request(text, **facts))  # type: ignore[arg-type]
    said = office.slack.last
    if said.way == "post":
        return str(said.shown.blocks[0]["text"]["text"])
    buttons = [one for one in said.shown.blocks if one.get("accessory", {}).get("action_id") == Action.COMPARE]
    return " ".join(["?", *(f"[{one['text']['text'].strip('*')}]" for one in buttons)])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Spring vs Fall", "Spring vs Fall"),
        ("this month vs last", "All mail, November 2026 vs All mail, October 2026"),
        ("last month vs this", "All mail, October 2026 vs All mail, November 2026"),
        ("last month vs the month before", "All mail, October 2026 vs All mail, September 2026"),
        ("Spring this year vs last", "Spring, 2026 vs Spring, 2025"),
        ("Spring 2025 vs 2026", "Spring, 2025 vs Spring, 2026"),
        ("2025 vs Spring 2026", "Spring, 2025 vs Spring, 2026"),
        ("Summer Sale 2025 vs 2026", "Summer Sale 2025 vs Summer Sale 2026"),
        ("Spring October vs September", "Spring, October 2026 vs Spring, September 2026"),
        ("Spring vs Fall last month", "Spring, October 2026 vs Fall, October 2026"),
        ("Spring last month vs Fall", "Spring, October 2026 vs Fall, October 2026"),
        ("Spring vs Spring last month", "Spring vs Spring, October 2026"),
        ("Spring last month vs all mail", "Spring, October 2026 vs All mail, October 2026"),
        ("Spring vs everything", "Spring vs All mail"),
        ("this month vs the month before that", "All mail, November 2026 vs All mail, October 2026"),
        ("compare Spring to Winter Gala", "Spring vs Winter Gala"),
        ("compare Sep 1 to Sep 15 to Oct 1 to Oct 15", "All mail, Sep 1–15, 2026 vs All mail, Oct 1–15, 2026"),
    ],
)
async def test_what_one_side_lacks_is_the_others(office: Office, text: str, said: str) -> None:
    assert await ask(office, text) == said


async def test_two_that_the_channel_was_shown_side_by_side_a_guest_can_ask_for(office: Office) -> None:
    assert await ask(office, "Spring vs Fall") == "Spring vs Fall"
    for text in ("Spring", "Fall", "Fall vs Spring"):
        await commands.mail_status(office.services, office.request(text, user=GUS, guest=True))
        assert office.slack.last.way == "post", text
    await commands.mail_status(office.services, office.request("Winter Gala", user=GUS, guest=True))
    assert office.slack.last.way == "answer"


@pytest.mark.parametrize(
    ("text", "offered"),
    [
        ("Spring vs Xyzzy", ["[Spring vs Fall]", "[Spring vs Winter Gala]"]),
        ("Xyzzy vs Plugh", []),
        ("Spring vs Spring", []),
        ("Spring vs last year", ["[Spring vs All mail, 2025]", "[Spring vs Spring, 2025]"]),
        ("compare Spring to Fall to Winter Gala",
         ["[Spring vs Fall]", "[Spring vs Winter Gala]", "[Fall vs Winter Gala]"]),
        ("Spring vs Fall vs Winter Gala", ["[Spring vs Fall]", "[Spring vs Winter Gala]", "[Fall vs Winter Gala]"]),
        ("Spring vs Summer", ["[Spring vs Summer Sale 2025]", "[Spring vs Summer Sale 2026]"]),
    ],
)  # fmt: skip
async def test_what_is_not_clear_is_asked(office: Office, text: str, offered: list[str]) -> None:
    said = await ask(office, text)
    assert said.startswith("?")
    assert [one for one in offered if one not in said] == [], said
    assert not office.drawn


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Spring vs Xyzzy", "No campaign is called “Xyzzy”"),
        ("Spring vs Spring", "both sides of that are the same"),
        ("Spring vs Fall vs Winter Gala", "two at a time"),
    ],
)
async def test_it_is_said_why_it_is_asked(office: Office, text: str, words: str) -> None:
    await ask(office, text)
    assert words.casefold() in office.slack.last.text.casefold()


@pytest.mark.parametrize(
    ("text", "remark"),
    [
        ("Spring 2025 vs 2026", "I read that as Spring, 2025 vs Spring, 2026."),
        ("this month vs lats month", "I read that as All mail, November 2026 vs All mail, October 2026."),
        ("Spring vs Wintr Gala", "Showing *Winter Gala*: no campaign is called “Wintr Gala”."),
        ("Spring vs Fall", ""),
    ],
)
async def test_how_it_was_read_is_said_where_it_was_not_typed_so(office: Office, text: str, remark: str) -> None:
    await ask(office, text)
    said = office.slack.last
    assert said.way == "post"
    assert remark in said.text
    assert bool(remark) == ("I read" in said.text or "Showing" in said.text)
    assert remark in str(said.shown.blocks)


@pytest.mark.parametrize("text", ["Spring vs 2026-13-45", "2026-13-45 vs Spring"])
async def test_days_that_are_none_are_refused_on_either_side(office: Office, text: str) -> None:
    with pytest.raises(RangeRefused):
        await ask(office, text)


async def test_for_a_name_that_nobody_knows_the_nearest_come_before_the_latest(office: Office) -> None:
    offered = await ask(office, "Fall vs Wantr Gula")
    assert offered.startswith("? [Fall vs Winter Gala]"), offered


async def test_a_guest_is_offered_nothing_that_was_not_shown(office: Office) -> None:
    assert await ask(office, "Spring vs Xyzzy", user=GUS, guest=True) == "?"
