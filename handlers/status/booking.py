"""When to book so that mail is in homes by a day: the last mailing dates that leave the chance that was wanted."""

from datetime import date
from typing import Final

from sqlalchemy import Connection

from handlers.context import matching
from handlers.context.services import Request, Services
from handlers.errors import Refusal
from handlers.forecast import model, words
from handlers.forecast import queries as forecast_queries
from handlers.forecast.model import Forecast
from handlers.forecast.queries import Account
from handlers.ingest import counting
from handlers.status.view import is_cancelled
from handlers.text import days_ahead, formatting, short_answers
from handlers.text.days_ahead import Planned
from handlers.text.messages import Message, context, escape, header, section
from storage.queries import mail as queries
from storage.records import StoredCampaign
from storage.statuses import FINAL, MAILED

#: The chance that is wanted when nobody says another.
CHANCE: Final = 0.8
#: Formats that are answered for when no campaign is named.
FORMS: Final = 3
#: What is asked about where the account has mailed nothing yet.
UNKNOWN: Final = "letter"


async def booking_message(services: Services, request: Request, asked: Planned, today: date) -> Message:
    """The answer to `when to book for Dec 12`. Raises Refusal."""
    home_by = days_ahead.read(asked.day, today)
    if home_by == today:
        raise Refusal(f"{formatting.day(home_by)} is today, too soon for anything mailed now. Ask for a later day.")
    if home_by < today:
        raise Refusal(f"{formatting.day(home_by)} is already over. Ask for a later day.")

    def look(connection: Connection) -> tuple[list[str], str]:
        account = forecast_queries.account(connection, request.workspace.id, today)
        forms = [_form_of(connection, request, account, asked.what)] if asked.what else account.forms()[:FORMS]
        return [_line(account, form, home_by, today) for form in forms or [UNKNOWN]], _reach(account)

    lines, reach = await services.memory.read(look)
    title = f"To be in homes by {formatting.day(home_by)}"
    note = (
        f"Then there's an {round(100 * CHANCE)}% chance that nearly all of it arrives in time: {words.NEARLY_ALL}. "
        f"{reach} That's the day your mail is handed to USPS, so book a business day or two earlier, for printing."
    )
    return Message(f"{title}: {'; '.join(lines)}", [header(title), section("\n".join(lines)), context(note)])


async def in_homes_by(
    services: Services, request: Request, campaign: StoredCampaign, home_by: date, today: date
) -> str:
    """The answer to `Spring in home by Dec 12?`; "" for what nobody will find there. Escaped."""
    key = request.workspace.id
    # What was handed over moments ago would else look as if it were still to be mailed.
    await counting.bring_up_to_date(services, key, campaign.id)

    def look(connection: Connection) -> str:
        known = queries.campaign(connection, key, campaign.id) or campaign
        mix = queries.mix(connection, key, known.id)
        if is_cancelled(known, mix):
            return ""
        account = forecast_queries.account(connection, key, today)
        told = account.of(known.id)
        if home_by < today:
            return _over(told, home_by)
        if mix.total and mix.of(*FINAL) == mix.total:
            return "Nothing more of it is on its way."
        if told is not None and told.is_recent:
            return _chance(told, home_by, today)
        if mix.of(*MAILED):
            return _long_ago(known, told)
        # Nothing was handed over yet: the mailing date decides, or nobody knows when.
        planned = account.planned(known)
        return _chance(
            planned, home_by, today, f", if it's handed to USPS on {formatting.day_near(planned.today, today)},"
        )

    return await services.memory.read(look)


def _long_ago(campaign: StoredCampaign, told: Forecast | None) -> str:
    """Of what was handed over so long ago that nothing can be foretold of it; "" where nobody knows when."""
    handed = campaign.handed_over_last
    day = told.drops[-1].handed_on if told is not None else handed and handed.date()
    said = "Only stragglers may still come: the last of it was handed to USPS on"
    return f"{said} {formatting.day(day)}." if day else ""


def _over(told: Forecast | None, home_by: date) -> str:
    """What is known of a day that is over."""
    said = f"{formatting.day(home_by)} is already over"
    if told is None:
        return f"{said}."
    landed, mailed = formatting.count(round(told.seen_by(home_by) * told.mailed)), formatting.count(told.mailed)
    return f"{said}; {landed} of {mailed} mailed pieces were delivered by then."


def _chance(told: Forecast, home_by: date, today: date, when: str = "") -> str:
    return (
        f"The chance that nearly all of it is in homes by {formatting.day_near(home_by, today)}{when} is "
        f"*{words.chance(told.chance(home_by))}* (nearly all: {words.NEARLY_ALL})."
    )


def _form_of(connection: Connection, request: Request, account: Account, name: str) -> str:
    found = matching.match(connection, request.workspace.id, name)
    if len(found.found) != 1:
        names = [one.facts.name for one in found.found[:3]] or found.near
        raise Refusal(short_answers.no_campaign(name, names))
    return account.form_of(found.found[0].id) or UNKNOWN


def _reach(account: Account) -> str:
    """How much is delivered at all, of the account's campaigns that are over: no more can be promised."""
    delivered = round(sum(share * number for share, number in account.past.tops.values()))
    mailed = sum(number for _, number in account.past.tops.values())
    if not mailed:
        return "A few of each mailing come back, or never get a final scan."
    rest = "" if delivered == mailed else "; the rest came back or never got a final scan"
    return f"Of your past mail, {formatting.share(delivered, mailed)} was scanned as delivered{rest}."


def _line(account: Account, form: str, home_by: date, today: date) -> str:
    expected = model.outlook(account.past, form)
    found = model.mail_by(expected, home_by, today, CHANCE)
    why = words.source(form, expected.prospect.own, expected.prospect.others)
    name = f"*{escape(form)}*"
    if found is None:
        now = model.chance_of_today(expected, home_by, today)
        return f"{name}: too late for that; mailed today, the chance is {round(100 * now)}% ({why})"
    return f"{name}: mail by *{formatting.day(found[0])}* ({why})"
