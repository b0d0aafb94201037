from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from interlock.config import FORMS, Settings
from interlock.connector_settings import CONNECTOR_FORMS
from interlock.errors import ConfigInvalid
from interlock.setting_forms import LogLevel, SecretRef

PAYMENTS = '[connectors.payments]\nurl = "https://pay.example.com/"\n'


def load(
    cwd: Path, toml: str = "", environ: dict[str, str] | None = None, flags: dict[str, object] | None = None
) -> Settings:
    if toml:
        (cwd / "interlock.toml").write_text(toml, "utf-8")
    return Settings.load(flags or {}, environ or {}, cwd)


def test_the_defaults(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert (settings.database_url, settings.admin_database_url) == ("", "")
    assert settings.data_dir == tmp_path / ".interlock"
    assert (settings.tenant, settings.workflows, settings.log_level) == ("default", (), LogLevel.INFO)
    assert (settings.api_host, settings.api_port, settings.concurrency) == ("127.0.0.1", 8321, 32)
    assert settings.lease == timedelta(seconds=15)
    assert settings.probe == settings.poll == timedelta(milliseconds=500)
    assert settings.connectors == {}
    assert set(settings.sources) == set(FORMS)
    assert set(settings.sources.values()) == {"default"}


def test_flags_win_over_the_environment_over_the_file_over_the_defaults(tmp_path: Path) -> None:
    toml = 'api_host = "0.0.0.0"\napi_port = 1\nconcurrency = 2\n'
    settings = load(
        tmp_path,
        toml,
        {"INTERLOCK_API_PORT": "11", "INTERLOCK_CONCURRENCY": "12"},
        {"concurrency": 22, "tenant": None},
    )
    assert (settings.api_host, settings.api_port, settings.concurrency) == ("0.0.0.0", 11, 22)  # noqa: S104 - a test
    assert settings.tenant == "default"
    told = {key: settings.sources[key] for key in ("api_host", "api_port", "concurrency", "tenant")}
    assert told == {
        "api_host": "interlock.toml",
        "api_port": "INTERLOCK_API_PORT",
        "concurrency": "--concurrency",
        "tenant": "default",
    }


def test_each_kind_of_value_is_read_from_the_file_and_from_the_environment(tmp_path: Path) -> None:
    toml = (
        'data_dir = "/var/lib/interlock"\nworkflows = ["a.b:c", "d:e"]\nlease = "20s"\nlog_level = "warning"\n'
        'database_url = "postgresql://app@db/interlock"\n'
    )
    from_file = load(tmp_path, toml)
    environ = {
        "INTERLOCK_DATA_DIR": "/var/lib/interlock",
        "INTERLOCK_WORKFLOWS": "a.b:c, d:e",
        "INTERLOCK_LEASE": "20s",
        "INTERLOCK_LOG_LEVEL": "WARNING",
        "INTERLOCK_DATABASE_URL": "postgresql://app@db/interlock",
    }
    other = tmp_path / "other"
    other.mkdir()
    from_environ = load(other, "", environ)
    for settings in (from_file, from_environ):
        assert settings.data_dir == Path("/var/lib/interlock")
        assert settings.workflows == ("a.b:c", "d:e")
        assert settings.lease == timedelta(seconds=20)
        assert settings.log_level is LogLevel.WARNING
        assert settings.database_url == "postgresql://app@db/interlock"


@pytest.mark.parametrize(
    ("toml", "where", "what", "todo"),
    [
        ("concurency = 3", "interlock.toml: concurency", "no such setting", 'did you mean "concurrency"?'),
        ("concurrency = 0", "interlock.toml: concurrency", "0 is not usable", "from 1 to"),
        ('concurrency = "3"', "interlock.toml: concurrency", "'3' is not usable", "whole number"),
        ("concurrency = true", "interlock.toml: concurrency", "True is not usable", "whole number"),
        ("api_port = 65536", "interlock.toml: api_port", "65536 is not usable", "65535"),
        ("lease = 15", "interlock.toml: lease", "15 is no text", "in quotes"),
        ('lease = "15"', "interlock.toml: lease", "no length of time", "24h"),
        ('lease = "0s"', "interlock.toml: lease", "no time at all", "above zero"),
        ('lease = "1s"', "probe", "too long for a lease", "lower probe"),
        ('log_level = "warn"', "interlock.toml: log_level", "no level", 'did you mean "warning"?'),
        ('tenant = "A B"', "interlock.toml: tenant", "is no name", "small letters"),
        ('api_host = "a b"', "interlock.toml: api_host", "is no host", "127.0.0.1"),
        ('data_dir = ""', "interlock.toml: data_dir", "is no path", "folder"),
        ('workflows = "a:b"', "interlock.toml: workflows", "is no list", "package.module:function"),
        ('workflows = ["a.b"]', "interlock.toml: workflows", "no import string", "package.module:function"),
        ('database_url = "mysql://db"', "interlock.toml: database_url", "no URL of a PostgreSQL", "postgresql://"),
        ('admin_database_url = "postgresql://db/i"', "database_url", "is empty although", "both, or neither"),
        ("connectors = 3", "interlock.toml: connectors", "is no table", "[connectors.NAME]"),
        ("[connectors]\npayments = 3", "interlock.toml: connectors.payments", "is no table", "[connectors.payments]"),
        ('[connectors.Payments]\nurl = "https://x"', "connectors.Payments", "is no name", "small letters"),
        (PAYMENTS + "timeot = '1s'", "interlock.toml: connectors.payments.timeot", "no such", '"timeout"?'),
        (PAYMENTS + "kind = 'htp'", "interlock.toml: connectors.payments.kind", "no kind", '"http"?'),
        (PAYMENTS + "simulated = 'true'", "interlock.toml: connectors.payments.simulated", "neither", "true or false"),
        (PAYMENTS + "honours_keys = true", "connectors.payments", "key_retention is missing", "24h"),
        (PAYMENTS + "key_retention = '1d'", "connectors.payments", "without honours_keys", "honours_keys = true"),
        (PAYMENTS + "can_look_up = true", "connectors.payments", "max_request_life is missing", "can_look_up = false"),
    ],
)
def test_what_is_wrong_in_the_file_is_named_with_its_remedy(
    tmp_path: Path, toml: str, where: str, what: str, todo: str
) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        load(tmp_path, toml)
    assert refused.value.where == where
    assert what in refused.value.what
    assert todo in refused.value.todo


@pytest.mark.parametrize(
    "url",
    ["https://", "x", "https://user@x", "https://user:hush@x", "postgresql://user:hush@x/db", "https://x:99999"],
)
def test_an_address_names_a_host_and_no_credential(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        load(tmp_path, f'[connectors.payments]\nurl = "{url}"\n')
    assert "hush" not in str(refused.value)


def test_a_file_that_is_not_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match=r"interlock\.toml.*\n?.*line 1"):
        load(tmp_path, "tenant = \n")


def test_everything_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid) as refused:
        load(tmp_path, "concurrency = 0\napi_port = -1\n", {"INTERLOCK_POLL": "x"}, {"lese": "1s"})
    for part in ("4 settings", "concurrency", "api_port", "INTERLOCK_POLL", "--lese"):
        assert part in str(refused.value)


def test_an_unknown_variable_of_ours_is_refused_and_others_are_not_looked_at(tmp_path: Path) -> None:
    load(tmp_path, "", {"PATH": "/bin", "INTERLOCK_SHARED_DATA": "/data"})
    with pytest.raises(ConfigInvalid, match="INTERLOCK_TENNANT") as refused:
        load(tmp_path, "", {"INTERLOCK_TENNANT": "a"})
    assert refused.value.todo == 'did you mean "INTERLOCK_TENANT"?'


def test_an_unknown_flag_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigInvalid, match="--api-prt") as refused:
        load(tmp_path, flags={"api_prt": 1})
    assert "api_port" in refused.value.todo


def test_a_connector_is_read_whole(tmp_path: Path) -> None:
    toml = PAYMENTS + (
        'kind = "http"\nsimulated = true\nsecret = "env:INTERLOCK_PAY_KEY"\ntimeout = "3s"\nhonours_keys = true\n'
        'key_retention = "1d"\ncan_look_up = true\ncan_void = true\nmax_request_life = "2m"\n'
    )
    connector = load(tmp_path, toml, {"INTERLOCK_PAY_KEY": "hush"}).connectors["payments"]
    assert (connector.name, connector.kind, connector.url) == ("payments", "http", "https://pay.example.com")
    assert connector.simulated
    assert connector.secret == SecretRef("env", "INTERLOCK_PAY_KEY")
    assert connector.timeout == timedelta(seconds=3)
    assert connector.honours_keys
    assert connector.can_look_up
    assert connector.can_void
    assert connector.key_retention == timedelta(days=1)
    assert connector.max_request_life == timedelta(minutes=2)


def test_a_connector_promises_nothing_unless_told(tmp_path: Path) -> None:
    connector = load(tmp_path, PAYMENTS).connectors["payments"]
    assert not any((connector.simulated, connector.honours_keys, connector.can_look_up, connector.can_void))
    assert (connector.key_retention, connector.max_request_life, connector.secret) == (timedelta(0), None, None)


def test_the_environment_sets_a_connectors_keys(tmp_path: Path) -> None:
    environ = {
        "INTERLOCK_CONNECTORS__PAYMENTS__URL": "https://b.example",
        "INTERLOCK_CONNECTORS__PAYMENTS__TIMEOUT": "4s",
    }
    settings = load(tmp_path, PAYMENTS + 'timeout = "3s"\nsimulated = true\n', environ)
    connector = settings.connectors["payments"]
    assert (connector.url, connector.timeout, connector.simulated) == ("https://b.example", timedelta(seconds=4), True)
    assert "INTERLOCK_CONNECTORS__PAYMENTS__URL" in settings.sources["connectors.payments"]
    with pytest.raises(ConfigInvalid, match="TIMEOT"):
        load(tmp_path, PAYMENTS, {"INTERLOCK_CONNECTORS__PAYMENTS__TIMEOT": "4s"})


@pytest.mark.parametrize("written", ["'hush'", "'env:hush hush'", "'vault:hush'", "123454321"])
def test_a_secret_itself_is_refused_and_not_repeated(tmp_path: Path, written: str) -> None:
    with pytest.raises(ConfigInvalid, match="no reference to a secret") as refused:
        load(tmp_path, PAYMENTS + f"secret = {written}\n")
    assert written.strip("'") not in str(refused.value)


def test_a_secret_does_not_travel_in_the_clear(tmp_path: Path) -> None:
    plain = '[connectors.payments]\nurl = "http://pay.example.com"\nsecret = "env:KEY"\n'
    with pytest.raises(ConfigInvalid, match="in the clear"):
        load(tmp_path, plain)
    assert load(tmp_path, plain + "simulated = true\n").connectors["payments"].simulated
    assert load(tmp_path, plain.replace("pay.example.com", "127.0.0.1:9")).connectors["payments"].secret


def test_fetching_a_secret(tmp_path: Path) -> None:
    kept = tmp_path / "key"
    kept.write_text("hush\n", "utf-8")
    assert SecretRef.parse(f"file:{kept}").resolve({}) == "hush"
    assert SecretRef.parse("env:KEY").resolve({"KEY": "hush"}) == "hush"
    for reference in ("env:KEY", f"file:{tmp_path / 'none'}"):
        with pytest.raises(ConfigInvalid, match="secret in"):
            SecretRef.parse(reference).resolve({})


def test_a_password_stands_in_the_environment_or_behind_a_reference_only(tmp_path: Path) -> None:
    url = "postgresql://app:hush@db/interlock"
    assert load(tmp_path, "", {"INTERLOCK_DATABASE_URL": url}).database_url == url
    assert load(tmp_path, 'database_url = "env:INTERLOCK_DB"\n', {"INTERLOCK_DB": url}).database_url == url
    for written in (url, "postgresql://app@db/interlock?password=hush"):
        with pytest.raises(ConfigInvalid, match="a password stands here") as refused:
            load(tmp_path, f'database_url = "{written}"\n')
        assert "hush" not in str(refused.value)
    (tmp_path / "interlock.toml").unlink()
    with pytest.raises(ConfigInvalid, match="a password stands here"):
        load(tmp_path, flags={"database_url": url})


@pytest.mark.parametrize(
    "url", ["postgresql://app:hush@db:5432/i", "postgresql://app@db/i?sslmode=require&password=hush"]
)
def test_settings_show_no_password(tmp_path: Path, url: str) -> None:
    shown = repr(load(tmp_path, "", {"INTERLOCK_DATABASE_URL": url}))
    assert "hush" not in shown
    assert "app" in shown


def documented(page: str) -> str:
    return (Path(__file__).parents[2] / "docs/reference" / page).read_text("utf-8")


def test_every_setting_is_documented() -> None:
    page = documented("configuration.md")
    missing = [key for key in (*FORMS, *CONNECTOR_FORMS) if f"| `{key}` |" not in page]
    assert not missing


def test_flags_are_set_in_a_table_of_their_own_or_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "interlock.toml").write_text('[flags]\nprovider = "a.b:c"\nfile = "x/flags.json"\n')
    settings = Settings.load({}, {"INTERLOCK_FLAGS_TIMEOUT": "2s"}, tmp_path)
    assert (settings.flags_provider, settings.flags_file) == ("a.b:c", tmp_path / "x/flags.json")
    assert settings.flags_timeout == timedelta(seconds=2)
    assert Settings.load({}, {}, tmp_path / "nowhere").flags_file == tmp_path / "nowhere" / "flags.yaml"


@pytest.mark.parametrize("text", ["flags = 1", "[flags]\nprovder = 'a:b'", "[flags]\nprovider = 'a.b'"])
def test_what_is_wrong_in_the_table_of_flags_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "interlock.toml").write_text(text)
    with pytest.raises(ConfigInvalid, match="flags"):
        Settings.load({}, {}, tmp_path)


def test_prices_are_exact_and_may_stand_in_a_table(tmp_path: Path) -> None:
    person = {"INTERLOCK_PRICES_PERSON_HOUR": "45 USD"}
    settings = load(tmp_path, toml='[prices]\nprocessor_hour = "0.04 USD"\n', environ=person)
    assert (settings.prices_processor_hour, settings.prices_person_hour) == (Decimal("0.04"), Decimal(45))
    for wrong in ("0.04", "0.04 EUR", "-1 USD", "NaN USD", "1e3 USD"):
        with pytest.raises(ConfigInvalid, match="is no price"):
            load(tmp_path, toml=f'[prices]\nprocessor_hour = "{wrong}"\n')
