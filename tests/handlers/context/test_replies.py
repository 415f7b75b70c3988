"""Which replies are private and why, and what becomes of a picture."""

import pytest

from handlers.context import replies
from handlers.errors import (
    ChannelClosed,
    MessageGone,
    NotInChannel,
    PictureRefused,
    ScopeMissing,
    SlackBusy,
    SlackDown,
    SlackRefused,
    Trouble,
    WorkspaceGone,
)
from handlers.text.messages import Message, Picture, context, header, section
from tests.handlers.conftest import ANA, OPS, URL, Office

WORDS = Message("12 pieces", [header("Spring"), context("as of now"), section("12 pieces")])
PICTURED = Message(WORDS.text, WORDS.blocks, Picture(b"png", "12 pieces", "Spring"))


def images(blocks: list[dict[str, object]]) -> list[int]:
    return [place for place, one in enumerate(blocks) if one["type"] == "image"]


async def test_an_answer_goes_to_its_thread_with_the_picture_under_its_heading(office: Office) -> None:
    await replies.to_channel(office.services, office.request(thread="1.1"), PICTURED)
    said = office.slack.last
    assert (said.way, said.place, said.thread) == ("post", OPS, "1.1")
    assert images(said.shown.blocks) == [2]
    assert replies.NO_PICTURE not in str(said.shown.blocks)


async def test_words_alone_are_uploaded_nowhere(office: Office) -> None:
    await replies.to_channel(office.services, office.request(), WORDS)
    assert office.slack.calls == ["post"]


@pytest.mark.parametrize(
    ("refusal", "channel", "why"),
    [
        (NotInChannel(), OPS, "I'm not in this channel. Type `/invite @Piecewise` to add me."),
        (NotInChannel(), "D0ANA", "Ask me in a channel I'm in to see the pie"),
        (ChannelClosed(), OPS, "The channel is archived or gone."),
        (ChannelClosed(), "D0ANA", "The channel is archived or gone."),
        (ScopeMissing(), OPS, "lacks a permission"),
        (SlackRefused("odd"), OPS, "odd"),
    ],
)
async def test_what_the_channel_does_not_take_the_asker_reads_alone_with_the_reason(
    office: Office, refusal: Trouble, channel: str, why: str
) -> None:
    office.slack.fail("post", refusal, times=2)
    await replies.to_channel(office.services, office.request(channel=channel), PICTURED)
    said = office.slack.last
    assert (said.way, said.place, images(said.shown.blocks)) == ("answer", URL, [])
    assert "Only you see this, without the picture" in str(said.shown.blocks)
    assert why in str(said.shown.blocks)


async def test_an_outage_is_not_answered_in_private(office: Office) -> None:
    office.slack.fail("post", SlackDown())
    with pytest.raises(SlackDown):
        await replies.to_channel(office.services, office.request(), WORDS)
    assert office.slack.said == []


async def test_a_mention_is_whispered_to_in_its_thread(office: Office) -> None:
    await replies.to_asker(office.services, office.request(response_url="", thread="1.1"), PICTURED)
    said = office.slack.last
    assert (said.way, said.place, said.thread) == ("whisper", f"{OPS},{ANA}", "1.1")


@pytest.mark.parametrize(("replacing", "way"), [(False, "answer"), (True, "replace")])
async def test_an_answer_to_the_asker_takes_the_place_of_the_one_before_where_asked(
    office: Office, replacing: bool, way: str
) -> None:
    await replies.to_asker(office.services, office.request(), WORDS, replacing=replacing)
    assert (office.slack.last.way, office.slack.last.place) == (way, URL)


async def test_a_picture_waits_until_slack_can_show_it(office: Office) -> None:
    begun = office.clock.now()
    office.slack.fail("post", PictureRefused(), times=replies.PICTURE_TRIES - 1)
    await replies.to_channel(office.services, office.request(), PICTURED)
    assert images(office.slack.last.shown.blocks) == [2]
    assert (office.clock.now() - begun).total_seconds() == replies.PICTURE_TRIES - 1
    assert len(office.slack.said) == 1


async def test_after_some_seconds_the_words_stand_alone(office: Office) -> None:
    office.slack.fail("post", PictureRefused(), times=replies.PICTURE_TRIES)
    await replies.to_channel(office.services, office.request(), PICTURED)
    blocks = office.slack.last.shown.blocks
    assert images(blocks) == []
    assert replies.NO_PICTURE in str(blocks)
    assert office.slack.calls.count("post") == replies.PICTURE_TRIES + 1


@pytest.mark.parametrize("trouble", [PictureRefused(), ScopeMissing(), SlackRefused(), SlackDown()])
async def test_a_picture_that_cannot_be_kept_holds_up_nothing(office: Office, trouble: Trouble) -> None:
    office.slack.fail("upload", trouble)
    await replies.to_channel(office.services, office.request(), PICTURED)
    assert replies.NO_PICTURE in str(office.slack.last.shown.blocks)
    assert len(office.slack.said) == 1


async def test_the_message_that_was_pressed_is_replaced_and_its_old_pictures_go(office: Office) -> None:
    office.slack.fail("delete_file", SlackDown())
    await replies.in_place(office.services, office.request(message_ts="1.1", pictures=("F8", "F9")), PICTURED)
    assert (office.slack.last.way, office.slack.last.place) == ("edit", f"{OPS},1.1")
    assert office.slack.deleted == ["F9"], "one that stays is no trouble"


async def test_what_cannot_be_edited_is_said_anew_and_its_pictures_stay(office: Office) -> None:
    office.slack.fail("edit", MessageGone())
    await replies.in_place(office.services, office.request(message_ts="1.1", pictures=("F9",)), PICTURED)
    assert office.slack.last.way == "answer"
    assert replies.NO_PICTURE in str(office.slack.last.shown.blocks)
    assert office.slack.deleted == []


async def test_what_only_the_asker_sees_is_replaced_by_its_address(office: Office) -> None:
    await replies.in_place(office.services, office.request(), PICTURED)
    assert office.slack.last.way == "replace"
    assert images(office.slack.last.shown.blocks) == []


NO = Message("No.", [section("No.")])


async def test_a_refusal_reaches_the_asker_where_they_are(office: Office) -> None:
    nowhere = office.request(response_url="", channel="")
    await replies.refused(office.services, office.request(), NO)
    await replies.refused(office.services, office.request(response_url=""), NO)
    await replies.refused(office.services, office.request(channel="", view_id="V1"), NO)
    await replies.refused(office.services, office.request(response_url="", channel="", view_id="V1"), NO)
    await replies.refused(office.services, nowhere, NO)
    places = [(one.way, one.place) for one in office.slack.said]
    assert places == [("answer", URL), ("whisper", f"{OPS},{ANA}"), ("answer", URL), ("update", "V1"), ("post", ANA)]
    assert all("No." in one.text for one in office.slack.said)


async def test_a_workspace_that_is_gone_is_nobodys_private_answer(office: Office) -> None:
    office.slack.fail("post", WorkspaceGone())
    with pytest.raises(WorkspaceGone):
        await replies.to_channel(office.services, office.request(), WORDS)


@pytest.mark.parametrize("busy", range(replies.BUSY_TRIES + 2))
async def test_what_nobody_else_would_say_is_said_as_soon_as_slack_takes_it(office: Office, busy: int) -> None:
    """Each time after the pause that Slack asks for; at last it is left to whoever asked."""
    tries, begun = list[float](), office.clock.elapsed()

    async def send() -> None:
        tries.append(office.clock.elapsed() - begun)
        if len(tries) <= busy:
            raise SlackBusy(retry_after=7)

    if busy > replies.BUSY_TRIES:
        with pytest.raises(SlackBusy):
            await replies.when_taken(office.services, send)
    else:
        await replies.when_taken(office.services, send)
    assert len(tries) == min(busy, replies.BUSY_TRIES) + 1
    assert tries == [7.0 * n for n in range(len(tries))]
