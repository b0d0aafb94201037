"""The parts of the embedded server that need no server."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from interlock.db._account import DEDICATED_IDS, Account, server_account
from interlock.db._cluster import ACCESS, LONGEST_SOCKET_FOLDER, Layout, is_private, marker, open_folder, prepare
from interlock.db._programs import find_programs, open_to_others
from interlock.db._supervisor import Orders, server_environment
from interlock.db.embedded import EmbeddedPostgres
from interlock.errors import PostgresNotStarted

ME = Account(uid=os.geteuid(), gid=os.getegid(), client=pwd.getpwuid(os.geteuid()).pw_name, switch=False)


def data(folder: Path) -> Layout:
    """A folder that looks like one with data."""
    layout = open_folder(folder)
    layout.pgdata.mkdir(mode=0o700)
    (layout.pgdata / "PG_VERSION").write_text("18\n")
    return layout


def test_orders_survive_the_command_line() -> None:
    text = Orders(
        command=["postgres", "-D", "a b"],
        pgdata="/p",
        run="/r",
        log="/l",
        users="/u",
        lock_fd=3,
        marker="m",
        uid=1,
        gid=2,
        switch=True,
        linger=0.5,
    )
    assert Orders.load(text.dump()) == text


def test_the_server_sees_no_variable_of_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGDATA", "/elsewhere")
    assert not [name for name in server_environment() if name.startswith("PG")]


def test_a_url_needs_a_server(tmp_path: Path) -> None:
    with pytest.raises(PostgresNotStarted, match="not in use"):
        _ = EmbeddedPostgres(tmp_path).url


def test_the_marker_tells_two_data_directories_apart(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert marker(tmp_path / "a") != marker(tmp_path / "b")
    (tmp_path / "a").rename(tmp_path / "c")
    assert marker(tmp_path / "c") != marker(tmp_path / "b")


def test_every_line_of_access_is_the_socket_and_peer() -> None:
    lines = [line.split() for line in ACCESS.splitlines() if not line.startswith("#")]
    assert lines
    assert all(line[0] == "local" and line[3:] == ["peer", "map=interlock"] for line in lines)


def test_settings_replace_a_planted_link_and_do_not_follow_it(tmp_path: Path) -> None:
    layout = data(tmp_path / "postgres")
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (layout.pgdata / "pg_hba.conf").symlink_to(victim)
    (layout.pgdata / "pg_hba.conf.interlock").symlink_to(victim)
    prepare(layout, ME, tmp_path)
    assert victim.read_text() == "untouched"
    assert (layout.pgdata / "pg_hba.conf").read_text() == ACCESS
    assert not (layout.pgdata / "pg_hba.conf").is_symlink()
    assert (layout.pgdata / "pg_ident.conf").read_text() == f'interlock "{ME.client}" all\n'


def test_a_socket_folder_that_others_opened_is_closed_again(tmp_path: Path) -> None:
    layout = data(tmp_path / "postgres")
    layout.run.mkdir()
    layout.run.chmod(0o777)
    assert not is_private(layout.run, ME)
    prepare(layout, ME, tmp_path)
    assert is_private(layout.run, ME)


def test_a_long_folder_gets_a_short_private_socket_folder_and_keeps_it(tmp_path: Path) -> None:
    layout = data(tmp_path / ("x" * 150))
    prepare(layout, ME, tmp_path)
    place = layout.socket_folder()
    try:
        assert len(os.fsencode(place)) <= LONGEST_SOCKET_FOLDER
        assert is_private(place, ME)
        prepare(layout, ME, tmp_path)
        assert layout.socket_folder() == place
        place.chmod(0o755)  # somebody else may have made it anew after a reboot: not trusted any more
        prepare(layout, ME, tmp_path)
        assert layout.socket_folder() != place
    finally:
        layout.socket_folder().rmdir()
        if place.exists():
            place.rmdir()


def test_a_user_without_a_name_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: DEDICATED_IDS[-1])
    with pytest.raises(PostgresNotStarted, match="has no name on this machine"):
        server_account(tmp_path)


def test_root_runs_the_server_as_an_id_without_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    account = server_account(tmp_path / "none")
    assert account.switch
    assert account.client == "root"
    with pytest.raises(KeyError):
        pwd.getpwuid(account.uid)


def test_programs_below_a_closed_folder_are_not_open_to_others(tmp_path: Path) -> None:
    install = tmp_path / "install"
    for part in ("bin", "lib", "share"):
        (install / part).mkdir(parents=True)
    for program in ("postgres", "initdb"):
        (install / "bin" / program).touch(mode=0o755)
    reachable = all(folder.stat().st_mode & 0o001 for folder in tmp_path.parents)
    tmp_path.chmod(0o700)
    assert not open_to_others(install)
    tmp_path.chmod(0o755)
    assert open_to_others(install) is reachable


def test_an_ordinary_user_runs_the_programs_of_version_18_where_they_are() -> None:
    programs = find_programs(ME)
    assert programs.parent.name == "pginstall18"
    assert (programs / "postgres").is_file()
