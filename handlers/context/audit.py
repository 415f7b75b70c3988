"""Every act is written down: who did what, and when."""

from collections.abc import Callable

from sqlalchemy import Connection

from handlers.context import kept
from handlers.context.services import Ask, Services
from storage import audit
from storage.audit import Act


async def write_down(
    services: Services,
    ask: Ask,
    act: Act,
    subject: str = "",
    detail: str = "",
    *,
    work: Callable[[Connection], object] = lambda _connection: None,
) -> bool:
    """Keeps who did what, in the transaction in which `work` does it; of what changes nothing (False) there is no line.

    Gives whether there is one. Subject and detail name no recipient and hold no secret. Where the same request was
    answered before and its answer was not kept, it was done and written then.
    """
    return await services.memory.together(written(services, ask, act, subject, detail, work=work))


def written(
    services: Services,
    ask: Ask,
    act: Act,
    subject: str = "",
    detail: str = "",
    *,
    work: Callable[[Connection], object] = lambda _connection: None,
) -> Callable[[Connection], bool]:
    """What `write_down` does, for a transaction in which the act itself is done."""
    now = services.clock.now()

    def both(connection: Connection) -> bool:
        if not kept.is_first(connection, ask.kept):
            return True
        if work(connection) is False:
            return False
        audit.note(connection, ask.workspace.id, ask.user, act, now, subject=subject, detail=detail)
        return True

    return both
