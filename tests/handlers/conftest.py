"""An office in memory: the real decisions over a real SQLite file, with everything outside faked."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Concatenate, ParamSpec, TypeVar

import pytest
from sqlalchemy import Connection

from handlers.context.inbox import Inflow
from handlers.context.memory import Memory
from handlers.context.ports import Person
from handlers.context.services import Policy, Request, Services
from handlers.context.table import Table
from storage import audit, workspaces
from storage.database import Database, open_database
from storage.inbox import inbox_of
from storage.queries import mail as queries
from storage.records import (
    Batch,
    Campaign,
    ChannelId,
    Piece,
    Rules,
    StoredCampaign,
    StoredPiece,
    UserId,
    Workspace,
)
from storage.statuses import Status
from storage.vault import new_key
from tests.builders import a_campaign, a_piece
from tests.fakes import AtOnce, FakeAccounts, FakeClock, FakeMail, FakeRenderer, FakeSlack

P = ParamSpec("P")
T = TypeVar("T")
ANA, BEN, GUS = UserId("U0ANA"), UserId("U0BEN"), UserId("U0GUS")
OPS = ChannelId("C0OPS")
URL = "https://hooks.slack.example/1"


@dataclass(repr=False)
class Office:
    """A workspace with its account: Ana is an admin, Ben is not, Gus is a guest."""

    services: Services
    slack: FakeSlack
    mail: FakeMail
    clock: FakeClock
    workspace: Workspace
    drawn: list[Any]
    threads: list[Executor] = field(default_factory=list)

    def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self.services.memory.database.read(work, *args, **kwargs)

    def write(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self.services.memory.database.write(work, *args, **kwargs)

    def note(self, **facts: Any) -> Workspace:
        """Notes something of the workspace, and reads it again."""
        self.write(workspaces.note, self.workspace.id, **facts)
        return self.again()

    def rule(self, **rules: Any) -> Workspace:
        self.write(workspaces.keep_rules, self.workspace.id, Rules(**rules))
        return self.again()

    def again(self) -> Workspace:
        self.workspace = self.read(workspaces.by_id, self.workspace.id)
        return self.workspace

    def request(self, text: str = "", user: str = ANA, **facts: Any) -> Request:
        """Something that this person asks in a channel; by default of a command, with an address for the answer."""
        made = Request(self.workspace, UserId(user), OPS, text, response_url=URL, trigger_id="T1")
        return replace(made, **facts)

    def policy(self, **facts: Any) -> None:
        self.services = replace(self.services, policy=replace(self.services.policy, **facts))

    async def learn(self, batch: Batch) -> None:
        await self.services.memory.learn(self.workspace.id, batch, self.clock.now())

    async def campaign(
        self, *statuses: Status, ref: str = "222", name: str = "Spring lapsed", piece: Any = None, **facts: Any
    ) -> StoredCampaign:
        """A campaign whose pieces (1001, 1002, …; of "222") stand so, known here and at the platform."""
        first = 1001 + 1000 * (int(ref) - 222)
        pieces: list[tuple[Piece, Status]] = [
            (a_piece(str(first + n), ref, **(piece or {})), status) for n, status in enumerate(statuses)
        ]
        made: Campaign = a_campaign(ref, name, **facts)
        await self.learn(self.mail.add(made, *pieces))
        found = self.read(queries.campaigns_by_ref, self.workspace.id, [ref])
        return found[ref]

    def piece(self, ref: str = "1001") -> StoredPiece:
        return self.read(queries.find_pieces, self.workspace.id, ref, 1)[0]

    def log(self) -> list[tuple[str, str, str]]:
        """Act, subject and detail of each line of the audit log, oldest first."""
        lines = self.read(audit.page, self.workspace.id, None, 50)
        return [(one.act, one.subject, one.detail) for one in reversed(lines)]


@pytest.fixture
def file(sqlite_url: str) -> Iterator[Database]:
    opened = open_database(sqlite_url)
    yield opened
    opened.close()


@pytest.fixture
def office(file: Database, clock: FakeClock) -> Office:
    """See `Office`. The account is connected, was read once, and is fresh for a minute."""
    people: dict[str, Person] = {
        ANA: Person("Ana Ruiz", "America/Chicago", is_admin=True),
        BEN: Person("Ben Park", "Europe/Paris", is_admin=False),
        GUS: Person("Gus Guest", "UTC", is_admin=False, outside=True),
    }
    slack, mail = FakeSlack(people), FakeMail(clock=clock)
    memory, drawn = Memory(file, AtOnce(), AtOnce()), list[Any]()
    services = Services(
        memory, Inflow(inbox_of(file), AtOnce(), clock, {mail.profile.key: mail.read_delivery}), FakeRenderer(AtOnce(), drawn), clock,
        Policy(settle=timedelta(0), sealing_keys=(new_key(),)), mail, slack,
    )  # fmt: skip
    workspace = file.write(workspaces.ensure, "T0ACME", "Acme Outdoors", "USD")
    made = Office(services, slack, mail, clock, workspace, drawn)
    now = clock.now()
    made.note(baseline_at=now - timedelta(days=9), connected_at=now - timedelta(days=9), polled_at=now)
    return made


@pytest.fixture
def accounts(office: Office) -> FakeAccounts:
    """The mail account is connected from Slack, not named by the settings."""
    made = FakeAccounts(office.services.memory)
    office.services = replace(office.services, accounts=made)
    return made


def pressable(shown: Any) -> list[tuple[str, str]]:
    """Every button of a view or of a message's blocks, in its order: the action, and what it carries."""
    if isinstance(shown, dict):
        own = (
            [(str(shown["action_id"]), str(shown["value"]))]
            if shown.get("type") == "button" and "value" in shown
            else []
        )
        return own + [one for value in shown.values() for one in pressable(value)]
    return [one for part in shown for one in pressable(part)] if isinstance(shown, (list, tuple)) else []


def policy_of(table: Table) -> dict[str, set[str]]:
    """How what a wing answers is taken: the names of what is kept, answered in turn, open to guests, and nameless."""
    entries: list[tuple[str, Any]] = [
        *table.commands.items(),
        *((one.value, press) for one, press in table.actions.items()),
    ]
    entries += [(one.value, form) for one, form in table.forms.items()]
    flags = ("kept", "in_turn", "for_guests", "nameless", "opens_page")
    return {flag: {name for name, one in entries if getattr(one, flag, False)} for flag in flags}
