"""The settings of streams: strict, told where they are wrong, and silent about credentials."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from interlock.config import Settings
from interlock.errors import ConfigInvalid
from interlock.stream_settings import STREAM_FORMS

GOOD = """\
[streams.claims]
broker = "nats"
url = "nats://127.0.0.1:4222"
stream = "CLAIMS"
subject = "claims.in"
target = "claims.approve"
"""


PAGE = Path(__file__).parents[2] / "docs" / "reference" / "configuration.md"


def test_every_key_is_documented() -> None:
    section = PAGE.read_text("utf-8").split("\n## Streams\n")[1]
    assert [key for key in STREAM_FORMS if f"| `{key}` |" not in section] == []


def load(cwd: Path, toml: str, environ: dict[str, str] | None = None) -> Settings:
    (cwd / "interlock.toml").write_text(toml, "utf-8")
    return Settings.load({}, environ or {}, cwd)


def test_a_stream_and_its_defaults(tmp_path: Path) -> None:
    settings = load(tmp_path, GOOD)
    stream = settings.streams["claims"]
    assert (stream.consumer, stream.caller) == ("interlock_claims", "stream:claims")
    assert (stream.concurrency, stream.max_deliveries, stream.ack_wait) == (128, 5, timedelta(seconds=30))
    assert stream.servers({}) == ["nats://127.0.0.1:4222"]
    assert settings.sources["streams.claims"] == "interlock.toml"


def test_the_environment_wins_and_credentials_come_from_there(tmp_path: Path) -> None:
    toml = GOOD.replace('"nats://127.0.0.1:4222"', '"env:INTERLOCK_NATS"')
    environ = {"INTERLOCK_NATS": "nats://me:secret@a:4222,nats://b:4222", "INTERLOCK_STREAMS__CLAIMS__CONCURRENCY": "7"}
    settings = load(tmp_path, toml, environ)
    stream = settings.streams["claims"]
    assert stream.concurrency == 7
    assert stream.servers(environ) == ["nats://me:secret@a:4222", "nats://b:4222"]
    assert "secret" not in repr(settings)
    assert "secret" not in repr(stream)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('broker = "nats"', 'broker = "mqtt"'), "no kind of broker"),
        (('url = "nats://127.0.0.1:4222"', 'url = "nats://me:secret@h:4222"'), "credentials stand here"),
        (('url = "nats://127.0.0.1:4222"', 'url = "amqp://h"'), "no URL of a broker of the kind nats"),
        (('url = "nats://127.0.0.1:4222"', 'url = "h:99999999"'), "no address"),
        (('url = "nats://127.0.0.1:4222"', ""), "url is missing"),
        (('stream = "CLAIMS"', ""), "stream is missing"),
        (('subject = "claims.in"', 'subject = "claims in"'), "no subject"),
        (('subject = "claims.in"', ""), "subject is missing"),
        (('target = "claims.approve"', 'target = "claims"'), "names no decision point"),
        (('target = "claims.approve"', ""), "target is missing"),
        (('target = "claims.approve"', 'target = "claims.approve"\ndurable = "a b"'), "no durable name"),
        (('target = "claims.approve"', 'target = "claims.approve"\nmax_deliveries = 0'), "whole number"),
        (('target = "claims.approve"', 'target = "claims.approve"\nack_wait = "100ms"'), "too short"),
        (('target = "claims.approve"', 'target = "claims.approve"\ndead_letter = "claims.in"'), "reads itself"),
        (('target = "claims.approve"', 'target = "claims.approve"\nconcurency = 3'), "concurrency"),
        (("[streams.claims]", "[streams.Claims]"), "no name"),
    ],
)
def test_what_is_wrong_is_told_without_the_credentials(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    assert change[0] in GOOD
    with pytest.raises(ConfigInvalid) as raised:
        load(tmp_path, GOOD.replace(*change))
    assert said in str(raised.value)
    assert "secret" not in str(raised.value)


def test_kafka_and_rabbitmq_have_urls_of_their_own(tmp_path: Path) -> None:
    kafka = GOOD.replace('"nats"', '"kafka"').replace("nats://", "kafka://").replace('stream = "CLAIMS"\n', "")
    assert load(tmp_path, kafka).streams["claims"].broker == "kafka"
    rabbit = kafka.replace('"kafka"', '"rabbitmq"').replace("kafka://", "amqp://")
    assert load(tmp_path, rabbit).streams["claims"].broker == "rabbitmq"
    with pytest.raises(ConfigInvalid, match="nothing that kafka has"):
        load(tmp_path, kafka + 'stream = "X"\n')


@pytest.mark.parametrize(
    ("subject", "letter", "said"),
    [
        ("claims.>", "claims.dead", "reads itself"),
        ("claims.>", "claims.dead.letters", "reads itself"),
        (">", "dead", "reads itself"),
        ("claims.*", "claims.dead", "reads itself"),
        ("*.in.>", "claims.in.dead", "reads itself"),
        ("claims.in", "claims.*", "wildcard"),
        ("claims.in", ">", "wildcard"),
        ("claims.>", "claims", ""),
        ("claims.>", "dead.claims", ""),
        ("claims.*", "claims.in.dead", ""),
        ("claims.*.in", "claims.dead", ""),
        ("claims.in*", "claims.in1", ""),
    ],
)
def test_no_dead_letter_goes_where_the_stream_reads(tmp_path: Path, subject: str, letter: str, said: str) -> None:
    toml = GOOD.replace('"claims.in"', f'"{subject}"') + f'dead_letter = "{letter}"\n'
    if not said:
        assert load(tmp_path, toml).streams["claims"].dead_letter == letter
        return
    with pytest.raises(ConfigInvalid, match=said):
        load(tmp_path, toml)


def test_kafka_and_rabbitmq_know_no_wildcards(tmp_path: Path) -> None:
    toml = GOOD.replace('"nats"', '"rabbitmq"').replace("nats://", "amqp://").replace('stream = "CLAIMS"\n', "")
    toml = toml.replace('"claims.in"', '"claims.*"')
    assert load(tmp_path, toml + 'dead_letter = "claims.dead"\n').streams["claims"].dead_letter == "claims.dead"
    with pytest.raises(ConfigInvalid, match="reads itself"):
        load(tmp_path, toml + 'dead_letter = "claims.*"\n')
