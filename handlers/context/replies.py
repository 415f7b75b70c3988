"""How an answer reaches the asker: to the channel with its picture, or to them alone, in words if need be."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

import structlog

from handlers.context.services import Request, Services
from handlers.errors import (
    ChannelClosed,
    NotInChannel,
    Outage,
    PictureRefused,
    Refusal,
    ScopeMissing,
    SlackBusy,
    SlackRefused,
    Trouble,
)
from handlers.text import messages
from handlers.text.messages import Message, Picture, escape, image

log = structlog.get_logger()

#: Slack needs a second or two before an uploaded file may be shown; a production user of this allows eight.
PICTURE_TRIES: Final = 8
#: Beyond the patience of a single call: so often, for as long as Slack asks each time.
BUSY_TRIES: Final = 5
SHORTEST_PAUSE: Final = 1.0
NO_PICTURE: Final = "Slack couldn't show the picture. All its numbers are above."


async def to_asker(services: Services, request: Request, message: Message, *, replacing: bool = False) -> None:
    """Shows a message to the asker alone."""
    words = message.without_picture()
    if request.response_url:
        await services.slack.answer(request.response_url, words, replace=replacing)
    else:
        await services.slack.whisper(request.channel, request.user, words, thread=request.thread)


async def to_channel(services: Services, request: Request, message: Message) -> bool:
    """Posts a message where it was asked for; where that cannot be, the asker still gets it, with the reason.

    Gives whether all there see it.
    """
    try:
        await show(services, message, lambda shown: services.slack.post(request.channel, shown, thread=request.thread))
    except (NotInChannel, ChannelClosed, ScopeMissing, SlackRefused, SlackBusy) as trouble:
        log.info("reply.private", reason=type(trouble).__name__, code=trouble.code)
        await to_asker(services, request, message.without_picture(_why_private(request, trouble)))
        return False
    return True


def _why_private(request: Request, refusal: Trouble) -> str:
    if isinstance(refusal, NotInChannel) and request.channel.startswith("D"):
        return "Only you see this, without the picture. Ask me in a channel I'm in to see the pie."
    if isinstance(refusal, NotInChannel):
        return "Only you see this, without the picture: I'm not in this channel. Type `/invite @Piecewise` to add me."
    return f"Only you see this, without the picture: {escape(str(refusal))}"


async def in_place(services: Services, request: Request, message: Message) -> None:
    """Puts a message in the place of the one whose button was pressed."""
    if not request.message_ts:
        await to_asker(services, request, message, replacing=True)
        return
    try:
        await show(services, message, lambda shown: services.slack.edit(request.channel, request.message_ts, shown))
    except (Refusal, SlackBusy) as trouble:
        log.info("reply.reposted", reason=type(trouble).__name__, code=trouble.code)
        await to_asker(services, request, message.without_picture(NO_PICTURE))
    else:
        await _drop_pictures(services, request)


async def _drop_pictures(services: Services, request: Request) -> None:
    """Files outlive the message that showed them, and would fill the team's storage (docs.slack.dev: files.delete).

    Only what the answer showed before it was replaced: the picture that it shows now stays.
    """
    for file_id in request.pictures:
        try:
            await services.slack.delete_file(file_id)
        except Trouble as trouble:
            log.info("picture.kept", reason=type(trouble).__name__, code=trouble.code)


async def show(services: Services, message: Message, send: Callable[[Message], Awaitable[object]]) -> None:
    """Sends a message with its picture once Slack can show it; after some tries, without. `send` takes the message."""
    if message.picture is None:
        await send(message)
        return
    file_id = await _upload(services, message.picture)
    if file_id is not None:
        pictured = _with_image(message, file_id, message.picture)
        for _ in range(PICTURE_TRIES):
            try:
                await send(pictured)
            except PictureRefused:
                await services.clock.sleep(1)
            else:
                return
        log.info("picture.given_up", tries=PICTURE_TRIES)
    await send(message.without_picture(NO_PICTURE))


async def _upload(services: Services, picture: Picture) -> str | None:
    """The file's id; None when Slack will not have it: the answer stands without."""
    try:
        return await services.slack.upload(picture)
    except (PictureRefused, ScopeMissing, SlackRefused, Outage) as trouble:
        log.info("picture.refused", reason=type(trouble).__name__, code=trouble.code)
        return None


def _with_image(message: Message, file_id: str, picture: Picture) -> Message:
    """The picture goes under the heading and its small print."""
    first, second, *rest = message.blocks
    return replace(message, blocks=[first, second, image(file_id, picture), *rest], picture=None)


async def when_taken(services: Services, send: Callable[[], Awaitable[object]]) -> None:
    """Sends it as soon as Slack takes it again: for what nobody else would ever say. Raises SlackBusy in the end."""
    for _ in range(BUSY_TRIES):
        try:
            await send()
        except SlackBusy as busy:
            log.info("reply.later", seconds=busy.retry_after)
            await services.clock.sleep(busy.retry_after or SHORTEST_PAUSE)
        else:
            return
    await send()


async def refused(services: Services, request: Request, message: Message) -> None:
    """Something could not be done: the reason, to the person who asked, wherever they can be reached."""
    if request.response_url or request.channel:
        await to_asker(services, request, message)
    elif request.view_id:
        await services.slack.update_view(request.view_id, messages.modal("Not possible", message.blocks))
    else:
        await services.slack.post(request.user, message)
