"""Every act is written down: who did what, and when."""

from collections.abc import Callable

from sqlalchemy import Connection

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

    Gives whether there is one. Subject and detail name no recipient and hold no secret.
    """
    now = services.clock.now()

    def both(connection: Connection) -> bool:
        if work(connection) is False:
            return False
        audit.note(connection, ask.workspace.id, ask.user, act, now, subject=subject, detail=detail)
        return True

    return await services.memory.together(both)
