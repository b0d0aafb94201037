"""The command: ``interlock-verify BUNDLE --key VERIFIER-KEY``. It prints what it checked, in words or as JSON.

Exit codes: 0 everything is proved; 1 something is wrong; 2 something cannot be read, or the command is not meant so.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from interlock_verify.check import Findings, check_bundle, root_text
from interlock_verify.checkpoint import Checkpoint, Trust
from interlock_verify.history import History, check_history
from interlock_verify.note import MOST_NOTE_BYTES, read_key
from interlock_verify.refusal import Unreadable, plain
from interlock_verify.strict_json import utf8

PROVED, WRONG, UNREADABLE = 0, 1, 2
_SHOWN = 20


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no reason to stop
    chosen = _parser().parse_args(arguments)
    try:
        return _run(chosen)
    except Unreadable as refused:
        problem = str(refused)
    except (OSError, ValueError) as refused:  # ValueError: a path with a NUL
        problem = plain(str(refused), 400)
    if chosen.json:
        sys.stdout.write(json.dumps({"verified": False, "unreadable": problem}) + "\n")
    sys.stderr.write(f"cannot be read: {problem}\n")
    return UNREADABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="interlock-verify",
        description="Checks entries of an Interlock ledger offline, against keys that you obtained independently.",
        epilog="exit codes: 0 everything is proved, 1 something is wrong, 2 something cannot be read",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("bundle", nargs="?", help="the bundle to check; - for standard input")
    add("--key", action="append", default=[], help="a verifier key, or @FILE with one a line; repeatable")
    add("--trust", type=Path, metavar="FOLDER", help="a folder of files with verifier keys")
    add("--origin", default="", help="the log that is meant, where its keys bear several names")
    add(
        "--checkpoint",
        type=Path,
        metavar="NOTE",
        help="a signed checkpoint that you kept: the log must have grown from it",
    )
    add(
        "--history",
        type=Path,
        metavar="FOLDER",
        help="a folder of published checkpoints: check all of them, and a bundle against them",
    )
    add("--json", action="store_true", help="print one JSON document instead of words")
    return parser


def _run(chosen: argparse.Namespace) -> int:
    if chosen.bundle is None and (chosen.history is None or chosen.checkpoint is not None):
        raise Unreadable("nothing to check: give a bundle, or --history FOLDER")
    trust = Trust.of(map(read_key, _keys(chosen.key, chosen.trust)), chosen.origin)
    history = check_history(chosen.history, trust) if chosen.history is not None else None
    findings = None
    if chosen.bundle is not None:
        held = None if chosen.checkpoint is None else _small_file(chosen.checkpoint)
        published = None if history is None else history.roots
        with open(0 if chosen.bundle == "-" else chosen.bundle, "rb") as stream:  # noqa: PTH123 - 0 is no path
            findings = check_bundle(stream, trust, held=held, published=published)
    parts = [one for one in (history.findings if history else None, findings) if one is not None]
    said = _document if chosen.json else _words
    sys.stdout.write(said(trust, findings, history, parts) + "\n")
    sys.stdout.flush()
    return WRONG if any(one.wrong for one in parts) else PROVED


def _keys(given: Sequence[str], folder: Path | None) -> list[str]:
    """The texts of the keys that were given, that stand in the files that were given, and in those of the folder."""
    files = [Path(one[1:]) for one in given if one.startswith("@")]
    if folder is not None:
        files += sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    lines = [line.strip() for file in files for line in _small_file(file).splitlines()]
    return [one for one in given if not one.startswith("@")] + [line for line in lines if line and line[0] != "#"]


def _small_file(file: Path) -> str:
    with file.open("rb") as stream:
        data = stream.read(MOST_NOTE_BYTES + 1)
    if len(data) > MOST_NOTE_BYTES:
        raise Unreadable(f"{plain(str(file))} has more than {MOST_NOTE_BYTES} bytes")
    return utf8(data)


def _document(trust: Trust, findings: Findings | None, history: History | None, parts: list[Findings]) -> str:
    wrong = sum(one.wrong for one in parts)
    document: dict[str, object] = {"verified": wrong == 0, "origin": trust.origin, "failures_total": wrong}
    document["failures"] = [asdict(failure) for one in parts for failure in one.failures]
    if findings is not None:
        document["bundle"] = {
            "checkpoint": _shown(findings.checkpoint),
            "signed": findings.signed,
            "follows": [_shown(one) for one in findings.follows],
            "key_changes": findings.changes,
            "entries": findings.entries,
            "proved": findings.good,
            "records": findings.records,
            "first": findings.first,
            "last": findings.last,
            "whole": findings.whole,
        }
    if history is not None:
        document["history"] = {
            "checkpoints": history.checkpoints,
            "unfinished": history.unfinished,
            "newest": _shown(history.newest),
        }
    return json.dumps(document)


def _shown(checkpoint: Checkpoint | None) -> dict[str, object] | None:
    return None if checkpoint is None else {"size": checkpoint.size, "root": root_text(checkpoint)}


def _words(trust: Trust, findings: Findings | None, history: History | None, parts: list[Findings]) -> str:
    lines = [f"log         {plain(trust.origin)}"]
    if history is not None:
        newest = f", the newest of {history.newest.size} entries" if history.newest else ""
        lines.append(f"published   {history.checkpoints} checkpoints{newest}")
        if history.unfinished:
            lines.append(f"            {history.unfinished} unfinished last lines of a file were passed over")
    if findings is not None:
        lines += _words_of_bundle(findings)
    wrong = sum(one.wrong for one in parts)
    failures = [str(failure) for one in parts for failure in one.failures]
    if not wrong:
        return "\n".join([*lines, "", "VERIFIED: all of the above is proved."])
    lines += ["", f"WRONG: {wrong} failure{'s' * (wrong > 1)}, the first of them:", *failures[:_SHOWN]]
    if wrong > _SHOWN:
        lines.append(f"and {wrong - _SHOWN} more (--json names up to a thousand)")
    return "\n".join(lines)


def _words_of_bundle(findings: Findings) -> list[str]:
    now = findings.checkpoint
    if now is None:
        return ["checkpoint  none that can be read: nothing else could be checked"]
    signed = "" if findings.signed else ", NOT SIGNED BY A KEY THAT YOU TRUST"
    lines = [f"checkpoint  {now.size} entries, root {root_text(now)}{signed}"]
    if findings.changes:
        lines.append(
            f"key         changed: {findings.changes} checkpoints across a change are signed by keys of both sides"
        )
    lines += [f"follows     the log of {one.size} entries, root {root_text(one)}" for one in findings.follows]
    place = f", from index {findings.first} to {findings.last}" if findings.good else ""
    lines.append(f"entries     {findings.good} of {findings.entries} proved{place}")
    if findings.whole:
        lines.append("            these are all entries of the log up to this checkpoint: none is left out")
    elif findings.first is not None and findings.last is not None:
        between = findings.last - findings.first + 1 - findings.good
        lines.append(f"            {between} others stand between them, and nothing is said of those")
    lines.append(f"records     {findings.records} are the ones that their entries vouch for")
    return lines
