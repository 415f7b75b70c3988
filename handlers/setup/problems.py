"""What only a person can mend: found out, told once to whoever set the bot up, and over when it works again."""

import structlog

from handlers.context.installer import tell
from handlers.context.ports import Ability
from handlers.context.services import Services
from handlers.errors import KeyRefused, Trouble
from handlers.home import hello, problem_view
from handlers.ingest import poll as polling
from handlers.ingest import silence
from storage import troubles, workspaces
from storage.records import WorkspaceId
from storage.troubles import Kind

log = structlog.get_logger()


async def poll(services: Services, workspace_id: WorkspaceId) -> None:
    """See `ingest.poll`; a key that is no longer accepted is told, and that it is again is noted."""
    try:
        await polling.poll(services, workspace_id)
    except KeyRefused:
        if await _is_refused(services):
            await services.memory.write(troubles.begin, workspace_id, Kind.KEY, services.clock.now())
            await tell_all(services, workspace_id)
        raise
    if any(one.kind is Kind.KEY for one in await services.memory.read(troubles.of, workspace_id)):
        await services.memory.write(troubles.end, workspace_id, Kind.KEY)
    await hello.greet_named(services, workspace_id)


async def _is_refused(services: Services) -> bool:
    """Whether it is the key: one report may be refused to a key that is good."""
    platform = services.platform
    try:
        await (platform.balance() if Ability.BALANCE in platform.profile.abilities else platform.account())
    except KeyRefused:
        return True
    except Trouble as trouble:
        log.info("key.unclear", reason=type(trouble).__name__)
    return False


async def watch(services: Services, workspace_id: WorkspaceId) -> None:
    """Looks whether the webhook fell silent, and tells what nobody was told yet."""
    await silence.listen_for_silence(services, workspace_id)
    await tell_all(services, workspace_id)


async def tell_all(services: Services, workspace_id: WorkspaceId) -> None:
    """Tells whoever set the bot up what is wrong; each thing once, until it is mended."""
    untold = [one for one in await services.memory.read(troubles.of, workspace_id) if one.told_at is None]
    for one in untold:
        workspace = await services.memory.read(workspaces.by_id, workspace_id)
        said = problem_view.text(
            one, services.platform.profile, many=services.accounts is not None, public_url=services.policy.public_url
        )
        log.warning("problem.lasts", workspace=workspace_id, kind=one.kind.value, since=one.since.isoformat())
        if await tell(services, workspace, problem_view.message(said)):
            await services.memory.write(troubles.told, workspace_id, one.kind, services.clock.now())
