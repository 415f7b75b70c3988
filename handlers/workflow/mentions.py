"""The same words after a mention, answered in its thread."""

from dataclasses import replace

from handlers.context import replies
from handlers.context.services import Request, Services
from handlers.status.commands import EXAMPLE, mail_status
from handlers.text import parsing, short_answers
from handlers.track.commands import mail_track


async def mention(services: Services, request: Request) -> None:
    """`@Piecewise status …` or `track …`, answered in the same thread."""
    verb, _, rest = parsing.clean(request.text).partition(" ")
    inner = replace(request, text=rest)
    if verb.casefold() in ("status", "mailstatus", "/mailstatus"):
        await mail_status(services, inner)
    elif verb.casefold() in ("track", "mailtrack", "/mailtrack"):
        await mail_track(services, inner)
    else:
        await replies.to_asker(services, request, short_answers.help_status(EXAMPLE))
