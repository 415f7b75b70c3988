"""Every row of the command table, typed by a person and answered over real sockets."""

import io
from datetime import UTC, datetime, timedelta

import pytest
from PIL import Image

from bot.sandbox.slack import Fault, Posted, find_element
from bot.sandbox.stannp import Trouble
from handlers.ingest import silence
from handlers.text.status_styles import STYLES
from storage import workspaces
from storage.statuses import Status
from tests.journeys.conftest import ANA, BEN, OPS, OUTSIDE, Stage, everything
from tests.rudeness import NAMELESS, PENNILESS, UNREPORTED


@pytest.mark.calm(*PENNILESS)
async def test_mailstatus_of_a_campaign_posts_the_pie_and_every_number(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "Spring lapsed")
    assert answer.only_for is None
    assert "12 pieces" in answer.text
    for word in ("Spent", "Balance", "$214.42", "View details", "Refresh", "Expected", "updated"):
        assert word in everything(answer)
    shown = [block for block in answer.blocks if block["type"] == "image"]
    assert len(shown) == 1
    picture = Image.open(io.BytesIO(stage.slack.files[shown[0]["slack_file"]["id"]].data)).convert("RGB")
    assert picture.width == 1080
    assert 1000 <= picture.height <= 1350
    colors = {color for _, color in picture.getcolors(100_000) or []}
    present = [s for s in Status if STYLES[s].label in answer.text]
    assert present
    for status in present:
        assert tuple(bytes.fromhex(STYLES[status].color[1:])) in colors


@pytest.mark.calm(*PENNILESS)
async def test_mailstatus_alone_shows_the_account(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "all time")
    for word in ("17 pieces", "Spring lapsed", "Holiday postcards", "Balance", "View details"):
        assert word in everything(answer)


async def test_part_of_a_name_that_fits_several_offers_a_choice_to_the_asker_alone(stage: Stage) -> None:
    choice = await stage.say("/mailstatus", "spring")
    assert choice.only_for == ANA
    before = await stage.press(choice, "pick_campaign", _choice(choice, "Spring welcome"))
    answer = await stage.answer(before)
    assert answer.only_for is None
    assert "Spring welcome" in answer.text


def _choice(message: Posted, name: str) -> str:
    """What the button beside this name carries."""
    return str(next(block["accessory"]["value"] for block in message.blocks if name in str(block.get("text"))))


async def test_a_range_survives_the_choice_of_a_campaign(stage: Stage) -> None:
    choice = await stage.say("/mailstatus", "today spring")
    before = await stage.press(choice, "pick_campaign", _choice(choice, "Spring lapsed"))
    assert "ordered in these days" in (await stage.answer(before)).text


async def test_a_single_name_that_is_nearly_it_is_answered_and_says_so(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "Sprng lapsd")
    assert answer.only_for is None
    assert "Showing *Spring lapsed*" in everything(answer)


async def test_an_unknown_name_offers_the_latest_campaigns(stage: Stage) -> None:
    choice = await stage.say("/mailstatus", "zzzzqqq")
    assert "Holiday postcards" in str(find_element(choice.blocks, "pick_campaign")["options"])


@pytest.mark.calm(*NAMELESS)
async def test_a_recipient_behind_mailstatus_is_one_click_away(stage: Stage) -> None:
    await stage.poll()
    piece = stage.stannp.pieces_of(222)[0]
    choice = await stage.say("/mailstatus", str(piece.id))
    assert choice.only_for == ANA
    before = await stage.press(choice, "track_piece")
    assert piece.lastname in everything(await stage.answer(before))


async def test_a_misspelt_name_offers_the_nearest(stage: Stage) -> None:
    choice = await stage.say("/mailstatus", "Holliday postcrads")
    assert "Holiday postcards" in everything(choice)


async def test_an_unknown_name_says_what_to_try(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "zzzzqqq")
    assert answer.only_for == ANA
    assert "/mailstatus" in answer.text


async def test_a_range_after_the_name_counts_only_those_days(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "Spring lapsed today")
    assert "ordered in these days" in answer.text


@pytest.mark.parametrize("text", ["Spring 2026-13-40", "last 0 days", "Feb 30, 2026", "spring 2026-10-1.."])
async def test_a_malformed_range_shows_forms_that_work(stage: Stage, text: str) -> None:
    answer = await stage.say("/mailstatus", text)
    assert answer.only_for == ANA
    assert "`" in answer.text


@pytest.mark.parametrize("command", ["/mailstatus", "/mailtrack", "/mailalerts"])
async def test_help_shows_examples(stage: Stage, command: str) -> None:
    answer = await stage.say(command, "help")
    assert answer.only_for == ANA
    assert f"{command} " in everything(answer)


async def test_the_example_in_the_help_works_when_pasted(stage: Stage) -> None:
    help_text = everything(await stage.say("/mailtrack", "help"))
    ref = next(str(piece) for piece in stage.stannp.pieces if f"/mailtrack {piece}" in help_text)
    assert ref in everything(await stage.say("/mailtrack", ref))


@pytest.mark.parametrize(
    "text",
    [
        "x" * 4000,
        "🎄" * 50,
        "<!channel>",
        "&lt;!channel&gt;",
        '"',
        "“Spring",
        "שלום עולם",
        "\u202eevil",
        "<@U0BEN>",
        "*_~`",
    ],
)
async def test_hostile_words_are_answered_in_one_sentence_and_mention_nobody(stage: Stage, text: str) -> None:
    for command in ("/mailstatus", "/mailtrack"):
        answer = await stage.say(command, text)
        assert answer.only_for == ANA
        for mark in ("<!", "<@"):
            assert mark not in everything(answer)
            assert mark not in answer.text


@pytest.mark.calm(*NAMELESS)
async def test_mailtrack_by_id_shows_the_dated_scans_to_the_asker_alone(stage: Stage) -> None:
    piece = stage.stannp.pieces_of(222)[0]
    answer = await stage.say("/mailtrack", str(piece.id))
    assert answer.only_for == ANA
    for word in (piece.lastname, piece.address1, "Received", "Handed Over", "<!date^"):
        assert word in everything(answer)


@pytest.mark.calm(*NAMELESS)
async def test_mailtrack_by_name_zip_and_address_shows_that_recipient(stage: Stage) -> None:
    # What an account was too busy for at first, the next poll asks for.
    await stage.poll()
    piece = stage.stannp.pieces_of(222)[0]
    for asked in (f"{piece.firstname} {piece.lastname}", piece.postcode, piece.address1):
        # One match is a timeline, several are a list: either names this recipient and their ZIP.
        shown = everything(await stage.say("/mailtrack", asked))
        assert f"{piece.firstname} {piece.lastname}" in shown, asked
        assert piece.postcode in shown, asked


@pytest.mark.calm(*NAMELESS)
async def test_several_pieces_give_a_list_and_a_choice_gives_the_timeline(stage: Stage) -> None:
    first = stage.stannp.pieces_of(222)[0]
    for piece in stage.stannp.pieces_of(222)[:3]:
        piece.lastname, piece.postcode = "Zimmer", first.postcode
        await stage.say("/mailtrack", str(piece.id))
    choice = await stage.say("/mailtrack", "Zimmer")
    menus = [one for block in choice.blocks for one in block.get("elements", []) if "options" in one]
    await stage.press(choice, "pick_piece", menus[0]["options"][0]["value"])
    await stage.until(lambda: "<!date^" in everything(choice))
    assert choice.edits == 1


@pytest.mark.calm(*NAMELESS)
async def test_many_pieces_are_counted_and_listed_with_their_tracking(stage: Stage) -> None:
    pieces = stage.stannp.pieces_of(222)
    for number, piece in enumerate(pieces):
        piece.lastname, piece.address1 = "Zimmer", f"{number + 1} Quince Street"
        await stage.say("/mailtrack", str(piece.id))
    choice = await stage.say("/mailtrack", "quince st")
    assert f"{len(pieces)} pieces match" in choice.text
    assert "Spring lapsed" in everything(choice)
    await stage.press(choice, "found_list")
    listed = await stage.modal(holding="newest first")
    assert everything(listed).count("Quince Street") == len(pieces)
    await stage.press(listed, "track_piece")
    assert "Zimmer" in everything(await stage.modal(holding="<!date^"))


@pytest.mark.calm(*NAMELESS)
async def test_a_mistyped_recipient_is_shown_and_said_to_be_the_nearest(stage: Stage) -> None:
    piece = stage.stannp.pieces_of(222)[0]
    piece.lastname = "Quackenbush"
    await stage.say("/mailtrack", str(piece.id))
    answer = await stage.say("/mailtrack", "Qackenbush")
    assert "this is the nearest" in everything(answer)
    assert piece.address1 in everything(answer)


async def test_a_campaign_behind_mailtrack_is_one_click_away(stage: Stage) -> None:
    choice = await stage.say("/mailtrack", "Holiday postcards")
    before = await stage.press(choice, "pick_campaign")
    assert "Holiday postcards" in (await stage.answer(before)).text


async def test_an_unknown_piece_says_what_to_try(stage: Stage) -> None:
    answer = await stage.say("/mailtrack", "99999999")
    assert "ZIP" in answer.text


@pytest.mark.calm(*NAMELESS)
async def test_a_piece_not_polled_yet_is_asked_for_at_once(stage: Stage) -> None:
    newcomer = stage.world._make_piece(222, stage.world.now)
    stage.stannp.pieces[newcomer.id] = newcomer
    assert newcomer.lastname in everything(await stage.say("/mailtrack", str(newcomer.id)))


async def test_in_a_channel_without_the_bot_the_answer_still_arrives_in_words(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "Spring lapsed", channel=OUTSIDE)
    assert answer.only_for == ANA
    assert "12 pieces" in answer.text
    assert "/invite" in everything(answer)


async def test_without_the_file_permission_the_answer_stands_without_its_picture(stage: Stage) -> None:
    stage.slack.scopes.discard("files:write")
    answer = await stage.say("/mailstatus", "Spring lapsed")
    assert "12 pieces" in answer.text
    assert "couldn't show the picture" in everything(answer)


async def test_a_picture_that_is_not_ready_is_waited_for(stage: Stage) -> None:
    stage.slack.file_delay = 1.6
    answer = await stage.say("/mailstatus", "Spring lapsed")
    assert [block for block in answer.blocks if block["type"] == "image"]


@pytest.mark.calm(*UNREPORTED)
async def test_refresh_edits_the_answer_in_its_place(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "Spring lapsed")
    for piece in stage.stannp.pieces_of(222):
        piece.move("delivered", stage.world.now)
    before = len(stage.slack.messages)
    await stage.press(answer, "refresh_status")
    await stage.until(lambda: "Delivered 12 (100%)" in answer.text)
    assert len(stage.slack.messages) == before


# Deleting is tried once: the rare picture that stays is not worth a row of its own.
@pytest.mark.calm("slack:down")
async def test_the_picture_that_a_newer_one_replaced_is_deleted_from_slack(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "Spring lapsed")
    first = set(stage.slack.files)
    await stage.press(answer, "refresh_status")
    await stage.until(lambda: set(stage.slack.files) - first and not first & set(stage.slack.files))
    shown = {block["slack_file"]["id"] for block in answer.blocks if block["type"] == "image"}
    assert shown == set(stage.slack.files)


async def test_another_range_can_be_chosen(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "Spring lapsed")
    await stage.press(answer, "choose_range", "Today")
    await stage.until(lambda: "ordered in these days" in answer.text)


async def test_any_range_is_chosen_by_two_calendars_in_the_answer(stage: Stage) -> None:
    answer = await stage.say("/mailstatus", "Spring lapsed")
    today = datetime.now(UTC).date()
    assert "range_first" not in str(answer.blocks), "nobody is shown them unasked"
    await stage.press(answer, "choose_range", "Other dates…")
    await stage.until(lambda: "range_first" in str(answer.blocks))
    at = [["choose_range" in str(block), "range_first" in str(block)] for block in answer.blocks]
    assert at.index([False, True]) == at.index([True, False]) + 2, "they are not beside the menu and under their label"
    await stage.press(answer, "range_first", str(today - timedelta(days=2)))
    await stage.until(lambda: "ordered in these days" in answer.text)
    await stage.press(answer, "range_first", str(today - timedelta(days=30)))
    await stage.until(lambda: "12 pieces" in answer.text)
    await stage.press(answer, "range_last", str(today - timedelta(days=20)))
    await stage.until(lambda: "ordered in these days" in answer.text)
    # The other way round is put right, and said.
    await stage.press(answer, "range_first", str(today))
    await stage.until(lambda: "the earlier day first" in everything(answer))


@pytest.mark.calm(*NAMELESS)
async def test_view_details_lists_recipients_and_tracking_shows_the_timeline(stage: Stage) -> None:
    # What an account was too busy for at first, the next poll asks for.
    await stage.poll()
    answer = await stage.say("/mailstatus", "Spring lapsed")
    await stage.press(answer, "view_details")
    listed = await stage.modal(holding="Tracking")
    piece = stage.stannp.pieces_of(222)[0]
    assert piece.lastname in everything(listed)
    await stage.press(listed, "track_piece")
    assert "Received" in everything(await stage.modal(holding="<!date^"))
    assert len(stage.slack.stack_of(ANA)) == 2


async def test_the_delivery_curve_comes_in_the_answers_thread_with_every_number_in_words(stage: Stage) -> None:
    stage.world.advance(stage.world.now + timedelta(days=3))
    await stage.poll()
    answer = await stage.say("/mailstatus", "Spring lapsed")
    before = await stage.press(answer, "delivery_curve")
    shown = await stage.answer(before)
    assert shown.thread_ts == answer.ts
    image = next(block for block in shown.blocks if block["type"] == "image")
    picture = Image.open(io.BytesIO(stage.slack.files[image["slack_file"]["id"]].data))
    assert picture.size == (1080, 1350)
    landed = sum(piece.status == "delivered" for piece in stage.stannp.pieces_of(222))
    mailed = sum(piece.dispatched is not None for piece in stage.stannp.pieces_of(222))
    assert f"{landed} of {mailed} mailed pieces are delivered" in everything(shown)
    assert "expected" in image["alt_text"]


async def test_a_mention_in_a_thread_is_answered_in_that_thread(stage: Stage) -> None:
    for text in ("<@U0BOT> status Spring lapsed", "<@U0BOT> track 99999999"):
        before = len(stage.slack.messages)
        await stage.slack.mention(BEN, OPS, text, thread_ts="1.1")

        def others(since: int = before) -> Posted | None:
            return next((m for m in stage.slack.messages[since:] if m.user != BEN), None)

        answer = await stage.until(others)
        assert answer.thread_ts == "1.1"


async def test_when_the_platform_is_down_the_last_known_numbers_are_shown_with_their_age(stage: Stage) -> None:
    stage.stannp.troubles.append(Trouble("", status=502, times=10_000))
    answer = await stage.say("/mailstatus", "Spring lapsed")
    assert "12 pieces" in answer.text
    assert "isn't answering" in everything(answer)
    piece = stage.stannp.pieces_of(222)[0]
    tracked = await stage.say("/mailtrack", str(piece.id))
    assert "not answering" in everything(tracked)


async def test_a_failure_after_the_ack_reaches_the_asker_with_a_reference(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_pie: object) -> bytes:
        raise RuntimeError("no ink")

    monkeypatch.setattr("handlers.context.services.draw_pie", broken)
    answer = await stage.say("/mailstatus", "Spring lapsed")
    assert answer.only_for == ANA
    assert "reference" in answer.text
    assert "no ink" not in everything(answer)


@pytest.mark.calm(*NAMELESS)
async def test_pieces_named_in_a_message_are_tracked_by_its_shortcut(stage: Stage) -> None:
    first, second = stage.stannp.pieces_of(222)[:2]
    said = Posted("5.5", OPS, BEN, f"Has anybody heard of {first.id}?", [])
    stage.slack.messages.append(said)
    before = len(stage.slack.messages)
    assert (await stage.slack.shortcut(ANA, said, "track_in_message")).ok
    answer = await stage.answer(before)
    assert answer.only_for == ANA
    assert first.lastname in everything(answer)
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": f"{first.id} and {second.id}"}}]
    bots = Posted("6.6", OPS, BEN, "two pieces", blocks)
    before = len(stage.slack.messages)
    assert (await stage.slack.shortcut(ANA, bots, "track_in_message")).ok
    choice = await stage.answer(before)
    assert find_element(choice.blocks, "pick_piece")["options"]
    for text, reply in (("nothing here", "no piece id"), ("99999999", "None of the numbers")):
        before = len(stage.slack.messages)
        assert (await stage.slack.shortcut(ANA, Posted("7.7", OPS, BEN, text, []), "track_in_message")).ok
        assert reply in (await stage.answer(before)).text


async def test_a_private_timeline_is_shared_without_the_address(stage: Stage) -> None:
    piece = stage.stannp.pieces_of(222)[0]
    answer = await stage.say("/mailtrack", str(piece.id))
    before = await stage.press(answer, "share_piece")
    shared = await stage.until(
        lambda: next((m for m in stage.slack.messages[before:] if m.only_for is None and m.user != ANA), None)
    )
    assert shared.channel == OPS
    assert "Handed Over" in everything(shared)
    assert piece.lastname not in everything(shared)
    assert piece.address1 not in everything(shared)
    assert f"Shared by <@{ANA}>" in shared.text


async def test_a_webhook_that_fell_silent_is_told_once(stage: Stage) -> None:
    services, key = stage.app.services, stage.app.workspace.id
    await stage.say("/mailalerts", "on")
    called = services.clock.now() - timedelta(hours=5)
    await services.memory.write(workspaces.note, key, webhook_at=called)
    await silence.listen_for_silence(services, key)
    assert not [m for m in stage.slack.messages if "has been silent since" in m.text], "a few hours are no silence"
    called = services.clock.now() - timedelta(hours=9)
    await services.memory.write(workspaces.note, key, webhook_at=called)
    stage.stannp.pieces_of(222)[0].move("delivered", stage.world.now)
    await stage.poll()
    for _ in range(3):
        await silence.listen_for_silence(services, key)
    told = [m for m in stage.slack.messages if "has been silent since" in m.text]
    assert [m.channel for m in told] == [f"D{ANA}"]
    assert "dashboard" in told[0].text


@pytest.mark.parametrize("days", ["0001-01-01..9999-12-31", "2126-01-01"])
async def test_days_of_another_century_are_refused_in_words(stage: Stage, days: str) -> None:
    assert "from 2000 to 2099" in (await stage.say("/mailstatus", f"Spring lapsed {days}")).text


async def test_an_answer_that_slack_takes_a_moment_later_is_the_answer(stage: Stage) -> None:
    stage.slack.faults.append(Fault("response_url", "ratelimited", 429, retry_after=1, times=2))
    assert "I found no piece" in (await stage.say("/mailtrack", "nothing")).text
