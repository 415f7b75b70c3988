"""Every act is written down: who did what, and when."""

from collections.abc import Callable

from sqlalchemy import Connection

from handlers.context import kept
from handlers.context.services import Request, Services
from storage import audit
from storage.audit import Act


async def record_audit(
    services: Services,
    request: Request,
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
    return await services.memory.write_grouped(written(services, request, act, subject, detail, work=work))


def written(
    services: Services,
    request: Request,
    act: Act,
    subject: str = "",
    detail: str = "",
    *,
    work: Callable[[Connection], object] = lambda _connection: None,
) -> Callable[[Connection], bool]:
    """What `record_audit` does, for a transaction in which the act itself is done."""
    now = services.clock.now()

    def both(connection: Connection) -> bool:
        if not kept.is_first(connection, request.kept):
            return True
        if work(connection) is False:
            return False
        audit.note(connection, request.workspace.id, request.user, act, now, subject=subject, detail=detail)
        return True

    return both
