"""Home, View details, Tracking and Export, pressed by a person over real sockets."""

import asyncio
import csv
import io
import json
from dataclasses import replace
from datetime import timedelta

import aiohttp
import pytest
from PIL import Image

from bot.sandbox.slack import Fault, Posted, View, find_element
from handlers.home import hello
from handlers.text.buttons import AtStatus, OnePiece, PiecesPage
from handlers.text.codec import read, write
from handlers.text.status_styles import STYLES
from tests.journeys.conftest import ANA, BEN, Stage, everything
from tests.rudeness import NAMELESS, PENNILESS

#: Not printed while a test lasts.
FAR = timedelta(days=90)


async def home(stage: Stage, holding: str, user: str = ANA) -> View:
    """This person's Home, once it holds this text."""
    return await stage.until(
        lambda: next((v for u, v in stage.slack.homes.items() if u == user and holding in str(v.view)), None)
    )


async def open_home(stage: Stage, holding: str = "Your mail", user: str = ANA) -> View:
    assert (await stage.slack.open_home(user)).ok
    return await home(stage, holding, user)


@pytest.mark.calm(*PENNILESS)
async def test_home_shows_numbers_money_and_campaigns_of_the_range(stage: Stage) -> None:
    shown = await open_home(stage)
    await stage.press(shown, "home_range", "All time")
    shown = await home(stage, "17 pieces")
    for word in (
        "Spent",
        "$214.42",
        "Spring lapsed",
        "Holiday postcards",
        "View details",
        "updated",
        ":large_",
        "Show the pie",
    ):
        assert word in everything(shown)
    order = [everything(shown).index(name) for name in ("Spring lapsed", "Spring welcome")]
    assert order == sorted(order), "the latest to move comes first"


async def test_a_range_is_remembered_for_each_person(stage: Stage) -> None:
    await open_home(stage)
    await open_home(stage, user=BEN)
    await stage.press(await home(stage, "Your mail"), "home_range", "Today")
    await home(stage, "The nearest mail was ordered in")
    assert (await stage.slack.open_home(ANA)).ok
    shown = await open_home(stage, "today, ")
    menu = find_element(shown.view["blocks"], "home_range")
    assert menu["initial_option"]["value"] == "today"
    assert "today, " not in everything(await home(stage, "Your mail", BEN))
    await stage.press(shown, "home_nearest")
    await home(stage, "pieces*")


async def test_days_that_make_no_range_become_the_nearest_with_a_sentence(stage: Stage) -> None:
    await open_home(stage)
    await stage.press(await home(stage, "Your mail"), "home_first", "2999-01-01")
    assert "Days to come hold no orders yet" in everything(await home(stage, "This is "))
    await stage.press(await home(stage, "Your mail"), "home_first", "2001-01-01")
    assert "more than a year" in everything(await home(stage, "more than a year"))


async def test_two_choices_at_once_end_in_the_later_one(stage: Stage) -> None:
    old = await open_home(stage)
    await stage.press(old, "home_range", "All time")
    await home(stage, "17 pieces")
    # Pressed in the version before: its hash is old by now.
    await stage.press(old, "home_range", "Today")
    await home(stage, "today, ")


async def test_a_choice_whose_answer_slack_lost_is_shown_and_nobody_is_told_of_trouble(stage: Stage) -> None:
    old = await open_home(stage)
    await stage.until(lambda: not stage.app.in_flight.tasks)
    for after in (True, False):
        stage.slack.faults.append(Fault("views.publish", status=502, after=after))
        await stage.press(old, "home_range", "All time" if after else "Today")
        await home(stage, "17 pieces" if after else "today, ")
        await stage.until(lambda: not stage.app.in_flight.tasks)
    assert [one.text for one in stage.slack.messages if not one.text.startswith("Hi!")] == []


async def test_the_last_of_quick_choices_is_shown_though_it_was_chosen_a_moment_ago(stage: Stage) -> None:
    shown = await open_home(stage)
    for chosen in ("All time", "Today", "All time"):
        await stage.press(shown, "home_range", chosen)
    await stage.until(lambda: not stage.app.in_flight.tasks)
    last = stage.slack.homes[ANA]
    menu = find_element(last.view["blocks"], "home_range")
    assert menu["initial_option"]["text"]["text"] == "All time"
    assert "17 pieces" in everything(last)


async def test_the_last_of_quick_filters_is_shown(stage: Stage) -> None:
    listed = await opened_details(stage)
    names = [o["text"]["text"] for o in find_element(listed.view["blocks"], "details_filter")["options"]]
    first, second = next(n for n in names if "Returned" in n), next(n for n in names if "Cancelled" in n)
    for chosen in (first, second, first):
        await stage.press(listed, "details_filter", chosen)
    await stage.until(lambda: not stage.app.in_flight.tasks)
    assert "No piece of this campaign is at Returned" in everything(stage.slack.stack_of(ANA)[-1])


@pytest.mark.parametrize("stage", [{"piecewise_public_url": "https://mail.example"}], indirect=True)
async def test_with_an_outside_address_home_shows_the_pie(stage: Stage) -> None:
    await stage.press(await open_home(stage), "home_range", "All time")
    shown = await home(stage, "image_url")
    image = next(block for block in shown.view["blocks"] if block["type"] == "image")
    assert "12" in image["alt_text"] or "17" in everything(shown)
    path = image["image_url"].removeprefix("https://mail.example")
    base = f"http://127.0.0.1:{stage.app.port}"
    async with aiohttp.ClientSession() as session:
        async with session.get(base + path) as answer:
            assert answer.status == 200
            picture = Image.open(io.BytesIO(await answer.read())).convert("RGB")
        async with session.get(base + path.replace(".png", "x.png")) as answer:
            assert answer.status == 404
    colors = {color for _, color in picture.getcolors(100_000) or []}
    named = [style for style in STYLES.values() if f"{style.label} " in image["alt_text"]]
    assert named
    assert all(tuple(bytes.fromhex(style.color[1:])) in colors for style in named)


async def test_many_campaigns_are_paged(stage: Stage) -> None:
    for number in range(45):
        stage.world.add_campaign(300 + number, f"Mailing {number:02}", stage.world.now, 1, leaves=FAR)
    await stage.poll()
    await stage.press(await open_home(stage), "home_range", "All time")
    shown = await home(stage, "62 pieces")
    assert "1 to 40" in everything(shown)
    await stage.press(shown, "home_page", "1")
    second = await home(stage, "41 to 48")
    assert len(second.view["blocks"]) <= 100
    await stage.press(second, "home_page", "0")
    await home(stage, "1 to 40")


async def opened_details(stage: Stage) -> View:
    await stage.press(await open_home(stage), "home_range", "All time")
    shown = await home(stage, "17 pieces")
    campaign = next(
        b["accessory"]["value"] for b in shown.view["blocks"] if "Spring lapsed" in str(b) and "accessory" in b
    )
    await stage.press(shown, "view_details", campaign)
    return await stage.modal(holding="Export CSV")


@pytest.mark.calm(*NAMELESS)
async def test_from_home_to_the_timeline_of_a_piece(stage: Stage) -> None:
    # What an account was too busy for at first, the next poll asks for.
    await stage.poll()
    listed = await opened_details(stage)
    piece = stage.stannp.pieces_of(222)[0]
    assert piece.lastname in everything(listed)
    await stage.press(listed, "track_piece")
    assert "Received" in everything(await stage.modal(holding="<!date^"))
    assert len(stage.slack.stack_of(ANA)) == 2


async def test_details_can_be_filtered_and_taken_back(stage: Stage) -> None:
    stage.stannp.pieces_of(222)[3].move("returned", stage.world.now)
    await stage.poll()
    listed = await opened_details(stage)
    await stage.press(listed, "details_filter", "Returned (1)")
    only = await stage.modal(holding="1 piece at Returned")
    assert everything(only).count("'Tracking'") == 1
    await stage.press(only, "details_filter", "Cancelled (0)")
    none = await stage.modal(holding="No piece of this campaign is at Cancelled")
    await stage.press(none, "details_next", write(PiecesPage(every=True)))
    await stage.modal(holding="12 pieces")


@pytest.mark.calm(*NAMELESS)
async def test_details_can_be_searched(stage: Stage) -> None:
    piece = stage.stannp.pieces_of(222)[5]
    for p in stage.stannp.pieces_of(222):
        await stage.say("/mailtrack", str(p.id))
    listed = await opened_details(stage)
    values = {"search": {"asked": {"type": "plain_text_input", "value": piece.address1}}}
    assert (await stage.slack.submit(ANA, listed, values)).ok
    found = await stage.modal(holding="Pieces that match")
    assert piece.lastname in everything(found)
    assert everything(found).count("'Tracking'") == 1
    # Any words of the piece, in any order.
    values["search"]["asked"]["value"] = f"{piece.city} {piece.lastname[:4]}"
    assert (await stage.slack.submit(ANA, found, values)).ok
    found = await stage.modal(holding=f"match “{piece.city}")
    assert str(piece.id) in everything(found) or piece.lastname in everything(found)
    values["search"]["asked"]["value"] = "zzz <!channel>"
    assert (await stage.slack.submit(ANA, found, values)).ok
    shown = await stage.modal(holding="matches")
    said = [block["text"]["text"] for block in shown.view["blocks"] if block["type"] == "section"]
    assert ["&lt;!channel&gt;" in text and "<" not in text for text in said] == [True]


async def test_the_next_page_follows_and_the_first_is_one_tap_away(stage: Stage) -> None:
    stage.world.add_campaign(400, "Long list", stage.world.now, 45, leaves=FAR)
    await stage.poll()
    answer = await stage.say("/mailstatus", "Long list")
    await stage.press(answer, "view_details")
    first = await stage.modal(holding="Next page")
    seen = [_tracked(first)]
    for _ in range(2):
        await stage.press(first, "details_next", write(PiecesPage(read(OnePiece, seen[-1][-1]).piece)))
        first = await stage.until(lambda: next((v for v in stage.slack.stack_of(ANA) if _tracked(v) != seen[-1]), None))
        seen.append(_tracked(first))
    assert [len(page) for page in seen] == [20, 20, 5]
    assert len({key for page in seen for key in page}) == 45
    await stage.press(first, "details_next", write(PiecesPage()))
    await stage.until(lambda: _tracked(stage.slack.stack_of(ANA)[0]) == seen[0])


def _tracked(view: View) -> list[str]:
    return [
        b["accessory"]["value"] for b in view.view["blocks"] if b.get("accessory", {}).get("action_id") == "track_piece"
    ]


async def test_export_sends_exactly_the_filtered_rows_to_the_asker_alone(stage: Stage) -> None:
    stage.stannp.pieces_of(222)[3].move("returned", stage.world.now)
    await stage.poll()
    listed = await opened_details(stage)
    await stage.press(listed, "details_filter", "Returned (1)")
    before = await stage.press(await stage.modal(holding="1 piece at Returned"), "details_export")
    sent = await stage.until(lambda: next((m for m in stage.slack.messages[before:] if m.files), None))
    assert sent.channel == f"D{ANA}"
    assert "1 piece of *Spring lapsed*" in sent.text
    rows = list(csv.DictReader(io.StringIO(stage.slack.files[sent.files[0]].data.decode("utf-8-sig"))))
    assert [(row["id"], row["status"]) for row in rows] == [(str(stage.stannp.pieces_of(222)[3].id), "Returned")]


async def test_an_export_that_slack_refuses_is_said(stage: Stage) -> None:
    listed = await opened_details(stage)
    stage.slack.faults.append(Fault("conversations.open", error="missing_scope"))
    await stage.press(listed, "details_export")
    await stage.modal(holding="Reinstall")


@pytest.mark.parametrize("value", ["", "[]", "{}", "[1]", '["x", "", ""]', "[999999999, 1, 2]", "x" * 200])
async def test_a_modal_of_another_version_is_outdated_not_an_error(stage: Stage, value: str) -> None:
    listed = await opened_details(stage)
    listed.view["private_metadata"] = value
    await stage.press(listed, "details_filter", write(AtStatus(None)))
    shown = await stage.modal(holding="out of date")
    assert "reference" not in json.dumps(shown.view)


async def test_who_opens_home_first_is_greeted_once_also_by_two_processes_and_after_a_restart(stage: Stage) -> None:
    await open_home(stage)

    def found() -> list[Posted]:
        return [one for one in stage.slack.messages if one.text.startswith("Hi!")]

    await stage.until(found)
    services, key = stage.app.services, stage.app.workspace.id
    # Another process, or this one after a restart, knows nothing but what is kept.
    again = replace(services, policy=replace(services.policy, installer=ANA))
    await asyncio.gather(*(hello.greet_named(again, key) for _ in range(3)))
    await open_home(stage)
    await stage.until(lambda: not stage.app.in_flight.tasks)
    (told,) = found()
    assert told.channel == f"D{ANA}"
    assert "still moving" in told.text
