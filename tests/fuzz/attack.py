"""Damages genuine inputs in the ways that parsers, databases and templates mind, sends them, and says what broke.

Everything comes from one seed. Each input goes over a real socket to the real bot; what it then does in the background
is part of the test: an exception there is a fault, too.
"""

import asyncio
import copy
import json
import logging
import random
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

import aiohttp
from aiohttp import web

from bot.platforms.stannp.wire import sign as sign_mail
from bot.sandbox.slack import encode, sign
from storage.schema.tables import metadata
from tests.fuzz.seeds import ROUTES, Seed, seeds
from tests.house import ACME, BOLT, House

Json = Any
AT_ONCE: Final = 24
BUSY: Final = 150
LONGEST_LINE: Final = 8000
#: What a request may leave behind that nobody signed: an installation begun by a browser, and what the clock does.
MAY_CHANGE: Final = {"install_states", "leases"}
JUNK: Final[tuple[Json, ...]] = (
    None, True, False, 0, -1, 1.5, 10**30, 2**63, "", " ", "0", "-1", "9" * 400, "a" * 40_000, "\x00", "\ud800", "\u202e", "💌" * 300,
    "<!channel> <@U0ANA> *_~`", "<script>alert(1)</script>", "' OR 1=1 --", "%s%n{0}{}", "../../etc/passwd", "\r\nX: y", "=cmd()",
    [], {}, [[]], [None], {"": ""}, {"id": None}, [{"value": "x"}], "null", "[]", "{}", "NaN", "1e999", "T0BOLT", "U0BOB",
    "2026-02-30", "0001-01-01..9999-12-31", "1|9999-12-31|0001-01-01", "²", "١٢٣", "0x10", "1_000", "١|٢|٣",
)  # fmt: skip


@dataclass
class Found:
    """What the attack found. `faults` are inputs that broke something, with what they broke."""

    sent: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class Listening(logging.Handler):
    """Hears when one of the boundaries caught something."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = str(record.msg)
        if ".broke" in text or record.exc_info or "never retrieved" in text:
            trace = "".join(traceback.format_exception(*record.exc_info)) if record.exc_info else ""
            self.heard.append((text + trace)[-1500:])


@dataclass
class Attack:
    """Sends `number` damaged inputs to a running house."""

    house: House
    seed: int
    found: Found = field(default_factory=Found)
    trapped: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)

    async def run(self, number: int) -> Found:
        ears = Listening()
        logging.getLogger().addHandler(ears)
        trap = await self._set_trap()
        try:
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
                self.session = session
                self.genuine = seeds(self.house)
                await self._phase(number // 4, signed=False)
                await self._phase(number - number // 4, signed=True)
        finally:
            logging.getLogger().removeHandler(ears)
            await trap.cleanup()
        self.found.faults += [f"in the log: {one}" for one in ears.heard]
        self.found.faults += [f"called a foreign address: {one}" for one in self.trapped]
        self.found.faults += [f"against Slack's rules: {one}" for one in self.house.cloud.every_problem()]
        return self.found

    async def _set_trap(self) -> web.AppRunner:
        """An address of nobody's: who calls it was led there."""

        async def caught(request: web.Request) -> web.Response:
            self.trapped.append(request.path)
            return web.Response(text="caught")

        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", caught)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.trap = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    async def _phase(self, number: int, *, signed: bool) -> None:
        before = await self._state() if not signed else None
        todo = iter(range(number))

        async def send() -> None:
            for turn in todo:
                await self._send_one(turn, signed=signed)
                while len(self.house.app.in_flight.tasks) > BUSY:  # type: ignore[union-attr]
                    await asyncio.sleep(0.005)

        await asyncio.gather(*(send() for _ in range(AT_ONCE)))
        await self._quiet()
        if before is not None and before != (after := await self._state()):
            changed = [name for name in before if before[name] != after[name]]
            self.found.faults.append(f"unsigned requests changed {changed}")

    async def _quiet(self) -> None:
        end = time.monotonic() + 60
        while self.house.app.in_flight.tasks and time.monotonic() < end:  # type: ignore[union-attr]
            await asyncio.sleep(0.05)

    async def _state(self) -> dict[str, list[str]]:
        def look(connection: Any) -> dict[str, list[str]]:
            tables = [one for one in metadata.sorted_tables if one.name not in MAY_CHANGE]
            return {one.name: sorted(map(repr, connection.execute(one.select()).all())) for one in tables}

        return await self.house.tenants.template.memory.read(look)

    async def _send_one(self, turn: int, *, signed: bool) -> None:
        if self.dice.random() < 0.08:
            await self._send_route()
            return
        kind = self.dice.choices(("interactive", "slash_commands", "events_api", "webhook"), (50, 15, 15, 20))[0]
        genuine = self.dice.choice([one for one in self.genuine if one.kind == kind])
        body = self._damaged(copy.deepcopy(genuine.body), turn)
        raw, content = self._encoded(Seed(genuine.kind, body))
        if self.dice.random() < 0.08:
            raw = self._bitten(raw)
        headers = {"Content-Type": content}
        if genuine.kind == "webhook":
            await self._post(
                await self._webhook(), raw, headers | self._mail_signature(raw, signed=signed), genuine.kind
            )
        else:
            await self._post("/slack/events", raw, headers | self._signature(raw, signed=signed), genuine.kind)

    async def _webhook(self) -> str:
        key = (await self.house.tenants.enter(None, ACME, False)).workspace.id  # type: ignore[union-attr]
        address = await self.house.tenants.webhook(key)
        return address.removeprefix(self.house.public)

    def _mail_signature(self, raw: bytes, *, signed: bool) -> dict[str, str]:
        if signed:
            return {"X-Stannp-Signature": sign_mail(raw, self.house.mail[ACME].webhook_secret)}
        return self.dice.choice(
            ({}, {"X-Stannp-Signature": ""}, {"X-Stannp-Signature": "0" * 64}, {"X-Stannp-Signature": "é"})
        )

    def _signature(self, raw: bytes, *, signed: bool) -> dict[str, str]:
        secret, now = self.house.cloud.signing_secret, int(time.time())
        if signed:
            return sign(secret, raw, now)
        return self.dice.choice(
            (
                {}, sign("wrong", raw, now), sign(secret, raw, now - 1000), sign(secret, raw + b"x", now), {"X-Slack-Signature": "v0="},
                {"X-Slack-Request-Timestamp": "²", "X-Slack-Signature": "v0=0"}, sign("", raw, now) | {"X-Slack-Retry-Num": "1"},
            )
        )  # fmt: skip

    async def _send_route(self) -> None:
        path = self.dice.choice(ROUTES)
        if self.dice.random() < 0.5:
            path += ("&" if "?" in path else "?") + urlencode({self._word(): self._word() for _ in range(3)})
        if self.dice.random() < 0.3:
            path += "/" + quote(self._word()[:300], safe="%")
        method = self.dice.choice(("GET", "GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "TRACE"))
        headers = (
            {"X-Forwarded-For": "1"}
            if self.dice.random() < 0.5
            else {"Cookie": f"slack-app-oauth-state={quote(self._word()[:200])}"}
        )
        await self._post(path, self._word().encode("utf-8", "replace")[:500], headers, "route", method)

    def _junk(self) -> Json:
        return copy.deepcopy(self.dice.choice(JUNK))

    def _word(self) -> str:
        return str(self._junk()).encode("utf-8", "replace").decode()

    async def _post(self, path: str, raw: bytes, headers: dict[str, str], kind: str, method: str = "POST") -> None:
        self.found.sent += 1
        self.found.kinds[kind] += 1
        try:
            async with self.session.request(
                method, self.house.public + path, data=raw, headers=headers, allow_redirects=False
            ) as answer:
                text = await answer.text(errors="replace")
                self.found.statuses[answer.status] += 1
        except (ValueError, aiohttp.InvalidURL):
            # The client itself would not send it.
            self.found.statuses[-1] += 1
            return
        except aiohttp.ClientError as error:
            if len(path) > LONGEST_LINE:
                # Cut off by the server before it was read.
                self.found.statuses[0] += 1
                return
            self.found.faults.append(f"{kind}: no answer ({error!r}) from {method} {path} to {raw[:600]!r}")
            return
        if answer.status >= 500 or "Traceback" in text or 'File "' in text:
            self.found.faults.append(f"{kind} {path}: {answer.status} {text[:200]} to {raw[:1500]!r}")

    def _encoded(self, one: Seed) -> tuple[bytes, str]:
        if one.kind == "webhook":
            return json.dumps(one.body).encode(), "application/json"
        if one.kind == "slash_commands":
            fields = one.body if isinstance(one.body, dict) else {"x": one.body}
            flat = {str(k): v if isinstance(v, str) else json.dumps(v) for k, v in fields.items()}
            return urlencode(flat, errors="surrogatepass").encode(), "application/x-www-form-urlencoded"
        if one.kind == "interactive":
            return urlencode({"payload": json.dumps(one.body)}).encode(), "application/x-www-form-urlencoded"
        return encode(one.kind, one.body)

    def _bitten(self, raw: bytes) -> bytes:
        bytes_ = bytearray(raw)
        for _ in range(self.dice.randrange(1, 6)):
            if not bytes_:
                break
            place = self.dice.randrange(len(bytes_))
            way = self.dice.random()
            if way < 0.4:
                bytes_[place] = self.dice.randrange(256)
            elif way < 0.7:
                del bytes_[place : place + self.dice.randrange(1, 20)]
            else:
                bytes_[place:place] = bytes_[: self.dice.randrange(1, 30)]
        return bytes(bytes_)

    def _damaged(self, body: Json, turn: int) -> Json:
        """Some places of the tree are damaged; ids that would make it a repetition are renewed."""
        if isinstance(body, dict):
            for name in ("trigger_id", "event_id"):
                if name in body:
                    body[name] = f"{name}.{self.seed}.{turn}.{self.dice.random()}"
        for _ in range(self.dice.choice((0, 1, 1, 1, 2, 3))):
            body = self._damage(body)
        return body

    def _damage(self, body: Json) -> Json:
        places: list[tuple[Any, Any]] = []

        def walk(node: Json) -> None:
            items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
            for key, value in list(items):
                places.append((node, key))
                walk(value)

        walk(body)
        if not places:
            return self._junk()
        node, key = self.dice.choice(places)
        way = self.dice.random()
        if way < 0.2:
            del node[key]
        elif way < 0.35 and "url" in str(key):
            node[key] = self.dice.choice(
                (self.trap, self.trap + "/slack.com", "http://169.254.169.254/", "file:///etc/passwd", "//x")
            )
        elif way < 0.5:
            node[key] = [node[key]]
        elif way < 0.6:
            node[key] = {str(key): node[key]}
        elif way < 0.65:
            node[key] = BOLT
        elif way < 0.7 and isinstance(node, dict):
            node[str(self._junk())] = self._junk()
        else:
            node[key] = self._junk()
        return body
