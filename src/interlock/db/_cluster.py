"""The folder of an embedded PostgreSQL: what stands where, how it is made, and how the server is configured.

    FOLDER/                 of the user who runs Interlock; as root also open to the server's group, for passing through
        supervisor.lock     see _supervisor.py
        users.lock
        pgdata/             the data, of the server's user, mode 0700
        run/                the socket, of the server's user, mode 0700; a link to a short folder when FOLDER is long
        log/postgres.log    what the server and the supervisor said, rotated

Everything here is done by the process that holds supervisor.lock. As root we write into pgdata, which the server's user
controls: only new files are made there and renamed, so that no link planted there leads root's pen elsewhere.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from interlock.db import _supervisor
from interlock.db._account import Account, quiet_account
from interlock.db._programs import MAJOR
from interlock.errors import PostgresNotStarted

# The smallest sun_path of our systems (macOS: 104 with the closing NUL; Linux: 108), less "/.s.PGSQL.5432".
LONGEST_SOCKET_FOLDER = 103 - len("/" + _supervisor.SOCKET)
_HERE = "/proc/self/cwd"
# Not XDG_RUNTIME_DIR, which vanishes when the user logs out while the server goes on.
_SHORT = "/tmp"  # noqa: S108 - mkdtemp makes a folder of mode 0700 with a name that nobody can guess

SETTINGS = """\
# Written by Interlock at each start. ALTER SYSTEM overrides it.
max_connections = 100
shared_buffers = 128MB
max_wal_size = 1GB
# Tables grow from nothing within a minute: until they are looked at, plans are those of empty ones.
autovacuum_naptime = 5s
min_wal_size = 80MB
checkpoint_timeout = 10min
checkpoint_completion_target = 0.9
fsync = on
full_page_writes = on
synchronous_commit = on
wal_level = replica
max_logical_replication_workers = 0
dynamic_shared_memory_type = posix
password_encryption = scram-sha-256
timezone = 'UTC'
datestyle = 'iso, ymd'
lc_messages = 'C'
log_timezone = 'UTC'
log_destination = 'stderr'
logging_collector = off
log_line_prefix = '%m [%p] '
log_checkpoints = off
log_lock_waits = on
log_startup_progress_interval = 2s
"""
ACCESS = """\
# Written by Interlock at each start. Only the socket, only the user of the operating system who runs Interlock.
local all all peer map=interlock
local replication all peer map=interlock
"""


@dataclass(frozen=True)
class Layout:
    """The paths within a folder."""

    folder: Path

    @property
    def supervisor_lock(self) -> Path:
        """Held by the one supervisor."""
        return self.folder / "supervisor.lock"

    @property
    def users_lock(self) -> Path:
        """Shared by every client."""
        return self.folder / "users.lock"

    @property
    def pgdata(self) -> Path:
        """The server's data directory."""
        return self.folder / "pgdata"

    @property
    def run(self) -> Path:
        """The folder of the socket, or a link to it."""
        return self.folder / "run"

    @property
    def log(self) -> Path:
        """The log."""
        return self.folder / "log" / "postgres.log"

    def socket_folder(self) -> Path:
        """Where the socket is, as clients name it: short enough for an address of a unix socket."""
        return self.run.readlink() if self.run.is_symlink() else self.run


def open_folder(folder: Path) -> Layout:
    """Make the folder, or check that it is one of ours.

    Raises:
        PostgresNotStarted: it cannot be made or written, belongs to somebody else, or holds something else.
    """
    layout = Layout(folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        state = folder.stat()
        # One look: another process may be making its first file, users.lock, at this moment.
        names = os.listdir(folder) if state.st_uid == os.geteuid() else []  # noqa: PTH208 - names are what is asked
        if names and layout.users_lock.name not in names:
            raise PostgresNotStarted(
                "the folder is not empty, and its content is not an embedded PostgreSQL of Interlock",
                where=str(folder),
                todo="choose an empty or a new folder",
            )
        if state.st_uid == os.geteuid():
            for lock in (layout.users_lock, layout.supervisor_lock):
                lock.touch(mode=0o600)
            layout.log.parent.mkdir(mode=0o700, exist_ok=True)
            return layout
    except OSError as error:
        raise PostgresNotStarted(
            f"the folder cannot be written: {error.strerror}",
            where=str(error.filename or folder),
            todo="choose a folder that this user may write, or mend its permissions or the disk",
        ) from error
    raise PostgresNotStarted(
        f"the folder belongs to user id {state.st_uid}, this process runs as {os.geteuid()}",
        where=str(folder),
        todo="run as the user who made it, or choose another folder",
    )


def marker(pgdata: Path) -> str:
    """A name for the server of this data directory that no other living one has: from its device and inode."""
    state = pgdata.stat()
    return f"interlock-{state.st_dev:x}-{state.st_ino:x}"


def prepare(layout: Layout, account: Account, programs: Path) -> None:
    """Bring the folder to where the server can start: data of the right version, socket folder, settings.

    Raises:
        PostgresNotStarted: the data are of another version or damaged, or initdb failed.
    """
    if account.switch:
        if platform.system() != "Linux":
            raise PostgresNotStarted(
                "PostgreSQL does not run as root", todo="run as an ordinary user, or set a database URL of your own"
            )
        os.chown(layout.folder, os.geteuid(), account.gid)
        layout.folder.chmod(0o710)
    for abandoned in layout.folder.glob("pgdata.new-*"):
        shutil.rmtree(abandoned, ignore_errors=True)
    if not layout.pgdata.exists():
        _make_cluster(layout, account, programs)
    _check_version(layout.pgdata)
    _make_socket_folder(layout, account)
    _write(layout.pgdata, "postgresql.conf", SETTINGS, account)
    _write(layout.pgdata, "pg_hba.conf", ACCESS, account)
    _write(layout.pgdata, "pg_ident.conf", f'interlock "{account.client}" all\n', account)


def server_command(layout: Layout, account: Account, programs: Path) -> list[str]:
    """The command line of the server. What must not be changed by ALTER SYSTEM stands here.

    As root the data may lie below folders that the server's user cannot enter. The supervisor starts the server inside
    its data directory and the server calls that /proc/self/cwd: no folder above needs to be opened to anybody.
    """
    fixed = {
        "listen_addresses": "",
        "unix_socket_directories": "../run",
        "unix_socket_permissions": "0777",  # the folder and peer authentication decide
        "port": str(_supervisor.PORT),
        "cluster_name": marker(layout.pgdata),
    }
    here = _HERE if account.switch else str(layout.pgdata)
    options = [option for name, value in fixed.items() for option in ("-c", f"{name}={value}")]
    return [str(programs / "postgres"), "-D", here, *options]


def _make_cluster(layout: Layout, account: Account, programs: Path) -> None:
    """Run initdb beside the final place and rename: a crash leaves pgdata.new-*, which the next start removes."""
    fresh = Path(tempfile.mkdtemp(prefix="pgdata.new-", dir=layout.folder))
    uid, gid = quiet_account() if account.switch else (account.uid, account.gid)
    if account.switch:
        os.chown(fresh, uid, gid)
    command = [str(programs / "initdb"), "-D", _HERE if account.switch else str(fresh), "--username=postgres"]
    command += ["--auth=peer", "--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    done = subprocess.run(  # noqa: S603 - our own binary with our own arguments
        command,
        cwd=fresh,
        env=_supervisor.server_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        user=uid if account.switch else None,
        group=gid if account.switch else None,
        extra_groups=[] if account.switch else None,
        umask=0o077,
    )
    if done.returncode != 0:
        shutil.rmtree(fresh, ignore_errors=True)
        raise PostgresNotStarted(
            f"initdb failed:\n{(done.stderr or done.stdout).strip()}",
            where=str(layout.folder),
            todo="look at the lines above; a full disk and a file system without fsync are the usual reasons",
        )
    if account.switch:
        _hand_over(fresh, uid, account)
    fresh.rename(layout.pgdata)
    _sync(layout.folder)


def _hand_over(fresh: Path, former: int, account: Account) -> None:
    """Give what initdb made to the server's user, but nothing that was linked in from elsewhere."""
    for _, folders, files, descriptor in os.fwalk(fresh):
        for name in (*folders, *files):
            state = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
            if state.st_uid != former or (name in files and state.st_nlink != 1):
                raise PostgresNotStarted(f"initdb did not make {name}", where=str(fresh), todo="start again")
            os.chown(name, account.uid, account.gid, dir_fd=descriptor, follow_symlinks=False)
    os.chown(fresh, account.uid, account.gid)


def _check_version(pgdata: Path) -> None:
    try:
        found = (pgdata / "PG_VERSION").read_text(encoding="ascii").strip()
    except OSError as error:
        raise PostgresNotStarted(
            f"this is no data directory of PostgreSQL: {error.strerror}",
            where=str(error.filename),
            todo="restore the folder from a backup, or move it away to start with an empty database",
        ) from error
    if found != str(MAJOR):
        raise PostgresNotStarted(
            f"the data were written by PostgreSQL {found}, the embedded one is {MAJOR}",
            where=str(pgdata),
            todo=f"dump them with a PostgreSQL {found} (pg_dumpall), move the folder away, start, and load the dump",
        )


def _make_socket_folder(layout: Layout, account: Account) -> None:
    """A folder of mode 0700 with a short path: FOLDER/run, or a link of that name to a folder with a random name."""
    run = layout.run
    if len(os.fsencode(run)) <= LONGEST_SOCKET_FOLDER:
        if run.is_symlink():
            run.unlink()
        run.mkdir(mode=0o700, exist_ok=True)
    elif not (run.is_symlink() and is_private(run.readlink(), account)):
        run.unlink(missing_ok=True)
        run.symlink_to(tempfile.mkdtemp(prefix="interlock-", dir=_SHORT))
    place = layout.socket_folder()
    if account.switch:
        os.chown(place, account.uid, account.gid)
    place.chmod(0o700)


def is_private(place: Path, account: Account) -> bool:
    """Whether this is a folder that only the server's user (and root) may enter."""
    try:
        state = place.lstat()
    except OSError:
        return False
    return place.is_dir() and not place.is_symlink() and state.st_uid == account.uid and not state.st_mode & 0o077


def _write(pgdata: Path, name: str, text: str, account: Account) -> None:
    """Replace one file of the data directory without following anything that stands there."""
    directory = os.open(pgdata, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fresh = f"{name}.interlock"
        with suppress(FileNotFoundError):
            os.unlink(fresh, dir_fd=directory)
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=directory)
        with os.fdopen(file, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
            if account.switch:
                os.fchown(out.fileno(), account.uid, account.gid)
        os.rename(fresh, name, src_dir_fd=directory, dst_dir_fd=directory)
    finally:
        os.close(directory)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
