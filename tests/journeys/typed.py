"""What people type, as they type it, and what they mean by it. Written down before it was understood.

A line: what is typed behind the command, and who or what is meant. For `/mailstatus`: campaigns by the platform's
number ("" for the whole account, two numbers for a comparison, "returns" for what came back), and the days, told from today. For `/mailtrack`: the
name of a recipient in `PEOPLE`. For `/mailalerts`: how the channel stands afterwards.
"""

import calendar
import random
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

Days = tuple[date | None, date | None]
ALL: Final[Days] = (None, None)
#: Days that nothing depends on: the account's default.
ANY: Final = "any"

CAMPAIGNS: Final = {
    221: "Fall catalog",
    222: "Spring lapsed",
    223: "Holiday postcards",
    224: "New Year draft",
    225: "Spring welcome",
    231: "October newsletter",
    232: "O'Reilly's grand re-opening",
    233: "Win-back letters Q4",
    234: "Summer Sale 2025",
}


@dataclass(frozen=True)
class Person:
    """A recipient: first name, last name, company, street, city, state, ZIP code."""

    first: str
    last: str
    company: str
    street: str
    city: str
    state: str
    zip: str


PEOPLE: Final = {
    "jane": Person("Jane", "Smithfield", "", "1234 Main Street", "Austin", "TX", "78701"),
    "sean": Person("Sean", "O'Brien", "", "77 North Oak Avenue Apt 4B", "Denver", "CO", "80202-1234"),
    "maria": Person(
        "María", "García-López", "Acme Widgets Inc", "500 W Lake Blvd Suite 210", "Portland", "OR", "97201"
    ),
    "tomas": Person("Tomas", "Novakovic", "Wendy's Diner", "9 Saint Mary's Road", "Chicago", "IL", "60601"),
    "ann": Person("Mary Ann", "van der Berg", "Bluebird & Sons LLC", "PO Box 1199", "Boise", "ID", "83702"),
    "deshawn": Person("DeShawn", "Washington", "", "2200 E Sunset Pkwy", "Tucson", "AZ", "85701"),
}


def weeks(today: date, back: int) -> Days:
    monday = today - timedelta(days=today.weekday() + 7 * back)
    return monday, monday + timedelta(days=6)


def month(today: date, number: int, year: int | None = None) -> Days:
    year = year or (today.year if number <= today.month else today.year - 1)
    return date(year, number, 1), date(year, number, calendar.monthrange(year, number)[1])


def last_month(today: date) -> Days:
    before = today.replace(day=1) - timedelta(days=1)
    return before.replace(day=1), before


def months(today: date, first: int, last: int) -> Days:
    end = month(today, last)
    assert end[1] is not None
    year = end[1].year if first <= last else end[1].year - 1
    return date(year, first, 1), end[1]


def quarter(today: date, number: int, year: int | None = None) -> Days:
    first = 3 * number - 2
    year = year or (today.year if first <= today.month else today.year - 1)
    return date(year, first, 1), month(today, first + 2, year)[1]


def back(today: date, days: int) -> Days:
    return today - timedelta(days=days - 1), today


def nearest(today: date, number: int, day: int) -> date:
    """This day of a month, the last time that it was."""
    found = date(today.year, number, day)
    return found if found <= today else date(today.year - 1, number, day)


def status_lines(today: date) -> list[tuple[str, str, object]]:
    """(typed, campaigns, days)"""
    monday = today - timedelta(days=today.weekday())
    day = timedelta(days=1)
    return [
        ("", "", ANY),
        ("everything", "", ALL),
        ("all", "", ALL),
        ("Spring lapsed", "222", ANY),
        ("spring lapsed", "222", ANY),
        ("SPRING LAPSED", "222", ANY),
        ('"Spring lapsed"', "222", ANY),
        ("Sprng lapsed", "222", ANY),
        ("Spring lapsd", "222", ANY),
        ("lapsed spring", "222", ANY),
        ("lapsed", "222", ANY),
        ("Holliday", "223", ANY),
        ("holiday post cards", "223", ANY),
        ("holiday campaign", "223", ANY),
        ("the holiday postcards campaign", "223", ANY),
        ("how is fall catalog doing?", "221", ANY),
        ("status of Fall catalog", "221", ANY),
        ("fall catalogue", "221", ANY),
        ("fal", "221", ANY),
        ("Catalog", "221", ANY),
        ("222", "222", ANY),
        ("#222", "222", ANY),
        ("campaign 222", "222", ANY),
        ("campaign #223", "223", ANY),
        ("Campaign no. 221", "221", ANY),
        ("oreillys", "232", ANY),
        ("O’Reilly’s", "232", ANY),
        ("grand reopening", "232", ANY),
        ("winback", "233", ANY),
        ("win back letters", "233", ANY),
        ("new year", "224", ANY),
        ("Sprng", "222|225", ANY),
        ("spring", "222|225", ANY),
        ("today", "", (today, today)),
        ("yesterday", "", (today - day, today - day)),
        ("this week", "", weeks(today, 0)),
        ("last week", "", weeks(today, 1)),
        ("past 30 days", "", back(today, 30)),
        ("last 30 days", "", back(today, 30)),
        ("in the last 7 days", "", back(today, 7)),
        ("last 2 weeks", "", back(today, 14)),
        ("last two weeks", "", back(today, 14)),
        ("this month", "", month(today, today.month, today.year)),
        ("last month", "", last_month(today)),
        ("October", "", month(today, 10)),
        ("oct 2025", "", month(today, 10, 2025)),
        ("Q4", "", quarter(today, 4)),
        ("Q4 2025", "", quarter(today, 4, 2025)),
        ("2025 Q4", "", quarter(today, 4, 2025)),
        ("this year", "", (date(today.year, 1, 1), date(today.year, 12, 31))),
        ("last year", "", (date(today.year - 1, 1, 1), date(today.year - 1, 12, 31))),
        ("year to date", "", (date(today.year, 1, 1), today)),
        ("YTD", "", (date(today.year, 1, 1), today)),
        ("2025", "", (date(2025, 1, 1), date(2025, 12, 31))),
        ("Nov 1", "", (nearest(today, 11, 1), nearest(today, 11, 1))),
        ("10/01/2026-10/31/2026", "", (date(2026, 10, 1), date(2026, 10, 31))),
        ("10/1 to 10/15", "", (nearest(today, 10, 1), nearest(today, 10, 15))),
        ("since Monday", "", (monday, today)),
        ("Oct-Nov", "", months(today, 10, 11)),
        ("october through november", "", months(today, 10, 11)),
        ("Nov 1-10", "", (nearest(today, 11, 1), nearest(today, 11, 10))),
        ("from Nov 1 to Nov 10", "", (nearest(today, 11, 1), nearest(today, 11, 10))),
        ("since Oct 15", "", (nearest(today, 10, 15), today)),
        ("lats week", "", weeks(today, 1)),
        ("yesturday", "", (today - day, today - day)),
        ("Spring lapsed last week", "222", weeks(today, 1)),
        ("last week Spring lapsed", "222", weeks(today, 1)),
        ("Fall catalog since Monday", "221", (monday, today)),
        ("this month fall catalog", "221", month(today, today.month, today.year)),
        ("October newsletter", "231", ANY),
        ("october newsletter last month", "231", last_month(today)),
        ("spring past 30 days", "222|225", back(today, 30)),
        ("last week spring", "222|225", weeks(today, 1)),
        ("summer sale 2025", "234", ANY),
        ("summer", "234", ANY),
        ("Fall catalog 10/1/2026 - 10/31/2026", "221", (date(2026, 10, 1), date(2026, 10, 31))),
    ]


def compared_lines() -> list[tuple[str, str, object]]:
    """The same for two."""
    return [
        ("compare Spring lapsed with Fall catalog", "222+221", ANY),
        ("Fall catalog vs Holiday postcards", "221+223", ANY),
        ("fall vs. lapsed", "221+222", ANY),
        ("compare fall and holiday", "221+223", ANY),
        ("this month vs last month", "+", ANY),
        ("Fall catalog vs last year", "221+", ANY),
        ("this month vs last", "+", ANY),
        ("Fall catalog 2025 vs 2026", "221+221", ANY),
        ("Fall catalog vs Holiday postcards last month", "221+223", ANY),
        ("compare Spring lapsed to Fall catalog to Holiday postcards", "222+221", ANY),
    ]


TRACK_LINES: Final[list[tuple[str, str]]] = [
    ("{jane}", "jane"),
    ("#{jane}", "jane"),
    ("piece {jane}", "jane"),
    ("Jane Smithfield", "jane"),
    ("jane smithfield", "jane"),
    ("Smithfield, Jane", "jane"),
    ("smithf ja", "jane"),
    ("Smithfeild", "jane"),
    ("Jane Smithfeild", "jane"),
    ("where is Jane Smithfield's postcard?", "jane"),
    ("1234 Main Street", "jane"),
    ("1234 Main St", "jane"),
    ("1234 main st.", "jane"),
    ("78701", "jane"),
    ("78701-4410", "jane"),
    ("Smithfield Austin", "jane"),
    ("O'Brien", "sean"),
    ("OBrien", "sean"),
    ("O’Brien", "sean"),
    ("obrien sean", "sean"),
    ("77 N Oak Ave", "sean"),
    ("77 North Oak Ave", "sean"),
    ("77 N. Oak Ave. #4B", "sean"),
    ("80202-1234", "sean"),
    ("802021234", "sean"),
    ("Acme Widgets", "maria"),
    ("acme", "maria"),
    ("widgets inc", "maria"),
    ("Garcia Lopez", "maria"),
    ("garcia-lopez", "maria"),
    ("500 West Lake Boulevard", "maria"),
    ("Lake Blvd", "maria"),
    ("Wendys", "tomas"),
    ("wendy's diner", "tomas"),
    ("9 St Marys Rd", "tomas"),
    ("Novakovich", "tomas"),
    ("Bluebird and Sons", "ann"),
    ("van der Berg", "ann"),
    ("Mary Ann", "ann"),
    ("P.O. Box 1199", "ann"),
    ("2200 East Sunset Parkway", "deshawn"),
    ("Washington Tucson", "deshawn"),
]


ALERT_LINES: Final[list[tuple[str, str, str]]] = [
    #: (how it stands before, typed, how it stands after); "?": told in words, "form": the settings open.
    ("", "", "form"),
    ("", "on", "0"),
    ("", "start", "0"),
    ("", "turn on", "0"),
    ("", "on Spring lapsed", "222"),
    ("", "on for Holiday postcards", "223"),
    ("", "subscribe to fall catalog", "221"),
    ("", "on Sprng lapsed", "222"),
    ("0", "off", ""),
    ("0", "stop", ""),
    ("222", "off Spring lapsed", ""),
    ("222,0", "off all", ""),
    ("222,0", "off", ""),
    ("0", "mute 2h", "0 muted"),
    ("0", "pause", "0 muted"),
    ("0", "mute until tomorrow", "0 muted"),
    ("0", "snooze until Monday", "0 muted"),
    ("0", "mute for 2 hours", "0 muted"),
    ("0 muted", "unmute", "0"),
    ("0 muted", "resume", "0"),
    ("0", "status", "?"),
    ("222", "list", "?"),
]


def mistype(word: str, dice: random.Random) -> str:
    """The word with a letter too many, too few, wrong, or two swapped; never the first, which people see."""
    at, letter = dice.randrange(1, len(word) - 1), dice.choice("abcdefghiklmnoprstuw")
    kinds = (
        word[:at] + word[at + 1 :],
        word[:at] + letter + word[at:],
        word[:at] + word[at + 1] + word[at] + word[at + 2 :],
        word[:at] + letter + word[at + 1 :],
    )
    return dice.choice(kinds)


def dressed(text: str, dice: random.Random) -> str:
    """In some case, with some marks around it."""
    text = dice.choice((text, text, text.lower(), text.upper(), text.title()))
    return dice.choice(("{}", "{}", "{}", "{}?", " {} ", "{}!", "{}.", "“{}”", "{},")).format(text)


def status_by_chance(dice: random.Random, today: date) -> list[tuple[str, str, object]]:
    """Campaigns by their words, in some order and mistyped, with a range at one end or none."""
    ranges = [one for one in status_lines(today) if one[1] == "" and one[2] not in (ANY, ALL) and len(one[0]) > 3]
    made: list[tuple[str, str, object]] = []
    for _ in range(50):
        number = dice.choice([key for key in CAMPAIGNS if key not in (222, 225)])
        words = [word for word in CAMPAIGNS[number].replace("-", " ").split() if word.isalpha() or "'" in word]
        dice.shuffle(words)
        words = words[: dice.randint(1, len(words))] if dice.random() < 0.5 else words
        long = [place for place, word in enumerate(words) if len(word) > 5 and "'" not in word]
        if not [word for word in words if len(word) > 3] or words == ["October"]:
            continue
        if long and dice.random() < 0.6:
            place = dice.choice(long)
            words[place] = mistype(words[place], dice)
        name = " ".join(words)
        days: object = ANY
        if dice.random() < 0.5:
            span = dice.choice(ranges)
            name = dice.choice((f"{name} {span[0]}", f"{span[0]} {name}"))
            days = span[2]
            made.append((dice.choice((name, name.lower(), name.upper())), str(number), days))
        else:
            made.append((dressed(name, dice), str(number), days))
    return made


SHORT: Final = {
    "Street": "St", "North": "N", "Avenue": "Ave", "Apt": "Apartment", "Lake": "Lk", "Blvd": "Boulevard", "W": "West",
    "Suite": "Ste", "Saint": "St", "Road": "Rd", "E": "East", "Pkwy": "Parkway", "Inc": "Incorporated",
}  # fmt: skip


def track_by_chance(dice: random.Random) -> list[tuple[str, str]]:
    """Recipients by parts of what is known of them, abbreviated, mistyped, in some order."""
    made = []
    for _ in range(45):
        name = dice.choice(sorted(PEOPLE))
        one = PEOPLE[name]
        street = " ".join(SHORT.get(word, word) if dice.random() < 0.6 else word for word in one.street.split())
        parts = [one.last, street, f"{one.first} {one.last}", f"{one.last} {one.first}", f"{one.last}, {one.city}",
                 f"{one.first} {one.city}", f"{street} {one.city}", f"{street}, {one.city} {one.state} {one.zip[:5]}"]  # fmt: skip
        parts += [one.company, f"{one.company.split()[0]} {one.city}"] if one.company else []
        asked = dice.choice(parts)
        words = asked.split()
        long = [place for place, word in enumerate(words) if len(word) > 6 and word.isalpha()]
        if long and dice.random() < 0.5:
            place = dice.choice(long)
            words[place] = mistype(words[place], dice)
        made.append((dressed(" ".join(words), dice), name))
    return made


def alerts_by_chance(dice: random.Random) -> list[tuple[str, str, str]]:
    """What is said, in some case and with some words around it."""
    ons, offs = (
        ("on", "start", "enable", "turn on", "subscribe to", "follow"),
        ("off", "stop", "unsubscribe from", "disable"),
    )
    mutes = ("mute", "pause", "snooze", "silence")
    ends = (
        "2h",
        "for 3 days",
        "until tomorrow",
        "until Monday",
        "90 minutes",
        "for the weekend",
        "until 5pm",
        "a week",
        "",
    )
    made = []
    for _ in range(35):
        kind = dice.randrange(5)
        number = dice.choice((221, 223, 232))
        name = CAMPAIGNS[number]
        name = mistype(name, dice) if dice.random() < 0.4 else name
        text, before, after = (
            (f"{dice.choice(ons)} {name}", "", str(number)),
            (f"{dice.choice(offs)} {name}", f"{number},0", "0"),
            (f"{dice.choice(offs)} {dice.choice(('all', 'all campaigns', 'everything'))}", "222,0", ""),
            (f"{dice.choice(mutes)} {dice.choice(ends)}".strip(), "0", "0 muted"),
            (dice.choice(("unmute", "resume", "unpause", "unmtue", "Unmute please")), "0 muted", "0"),
        )[kind]
        made.append((before, dice.choice((text, text.lower(), text.upper(), f"{text}!", f"please {text}")), after))
    return made
