"""What is said of work that was given up: to whoever asked for it, in words, with what they can do now."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from handlers.context.services import Services
from handlers.text import short_answers
from storage import audit, intents
from storage.audit import Act
from storage.intents import Intent, Kind
from storage.queries import mail as queries
from storage.records import CampaignId

#: The pages on which a file can be asked for.
DETAILS, RETURNS = "View details", "Returns"
#: Slack ends a workflow's step by its own rules; who ran it reads this.
STEP_BROKE = "Something went wrong in Piecewise. Please run this workflow again."


async def say(services: Services, intent: Intent, secrets: Mapping[str, Any], why: str) -> None:
    """Tells the asker directly: the place where they asked may be gone by now."""
    if intent.kind is Kind.STEP:
        await services.slack.fail_step(intent.payload["execution"], secrets.get("token") or None, STEP_BROKE)
        return
    if intent.kind is Kind.HELLO:
        # Nobody asked for it: it is simply not said.
        return
    what = await services.memory.read(_subject, intent)
    await services.slack.post(
        intent.payload["by"], short_answers.refusal(_sentence(intent, what, why, services.platform.name))
    )


def page_of(payload: Mapping[str, Any]) -> str:
    """On which page a file was asked for."""
    return str(payload.get("page", DETAILS))


def file_of(name: str, payload: Mapping[str, Any]) -> str:
    """A file of a campaign's pieces, in words."""
    return f"the {'returns' if page_of(payload) == RETURNS else 'pieces'} of {name} as a file"


def again(payload: Mapping[str, Any]) -> str:
    """How to ask for it anew."""
    return f"Open *{page_of(payload)}* and export it again."


def record_audit(connection: Connection, intent: Intent, now: datetime) -> None:
    """That mail was to be stopped stands in the log, and so does that nobody goes on with it."""
    if intent.kind in (Kind.CANCEL, Kind.DELETE):
        what, by = _subject(connection, intent), intent.payload["by"]
        audit.note(connection, intent.workspace_id, by, Act.STOPPED, now, subject=what, detail="given up")


def _sentence(intent: Intent, what: str, why: str, platform: str) -> str:
    match intent.kind:
        case Kind.CANCEL:
            return (
                f"I gave up cancelling {what}. {why} What is cancelled stays so: look with `/mailtrack` or in "
                f"{platform}'s dashboard, and cancel the rest anew."
            )
        case Kind.DELETE:
            return f"I gave up deleting {what}. {why} Look in {platform}'s dashboard whether it is still there."
        case Kind.REQUEST:
            return f"I could not post your request for approval. {why} Nothing is cancelled; please cancel it anew."
        case Kind.ASKED:
            return f"I could not answer what you pressed or sent. {why} Look whether it was done before you ask again."
        case Kind.ERASE:
            return f"Who {what} went to is no longer kept here."
        case Kind.EXPORT:
            return f"I couldn't send you {file_of(what, intent.payload)}. {why} {again(intent.payload)}"
        case _:
            return f"I couldn't send you {what} as a file. {why} Please export it again."


def _subject(connection: Connection, intent: Intent) -> str:
    """What the work is about, in words."""
    payload, workspace_id = intent.payload, intent.workspace_id
    if intent.kind in (Kind.LOG, Kind.REQUEST, Kind.ASKED):
        return "the audit log"
    if intent.kind is Kind.ERASE:
        return f"{payload['number']} pieces" if payload.get("number", 1) > 1 else f"piece {payload['ref']}"
    if payload["campaign"]:
        campaign = queries.campaign(connection, workspace_id, CampaignId(payload["campaign"]))
        return campaign.facts.name if campaign else "a campaign"
    ids = [row.piece_id for row in intents.rows_of(connection, workspace_id, intent.id)]
    found = queries.pieces_by_id(connection, workspace_id, ids[:1])
    return f"piece {found[0].ref}" if found else "a piece"
