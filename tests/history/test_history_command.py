"""`python -m simswarm.check.history`: what it prints for small histories, word for word.

Each `tests/data/histories/NAME.ndjson` has a `NAME.txt` beside it: the exit code, then what was
printed. `SIMSWARM_REWRITE_GOLDEN=1` writes them anew, to be read before they are committed.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from simswarm.check.history.__main__ import main

FOLDER = Path(__file__).resolve().parents[1] / "data" / "histories"
ARGUMENTS = {"tangled": ["--steps", "50"], "good-register": ["--initial", "null"]}
NAMES = sorted(path.stem for path in FOLDER.glob("*.ndjson"))


def run(capsys, *arguments):
    code = main(arguments)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.mark.parametrize("name", NAMES)
def test_what_is_printed_for_a_file(name, capsys, monkeypatch):
    monkeypatch.chdir(FOLDER)
    code, out, err = run(capsys, f"{name}.ndjson", *ARGUMENTS.get(name, []))
    text = f"exit {code}\n{out}{err}"
    expected = FOLDER / f"{name}.txt"
    if os.environ.get("SIMSWARM_REWRITE_GOLDEN"):
        expected.write_text(text)
    assert text == expected.read_text()


def test_the_examples_end_in_every_way():
    codes = {(FOLDER / f"{name}.txt").read_text().split("\n")[0] for name in NAMES}
    assert codes == {"exit 0", "exit 1", "exit 2", "exit 3"}


@pytest.mark.parametrize(
    ("name", "code", "first"),
    [
        ("good-register", 0, "linearizable"),
        ("stale-read", 1, "not linearizable"),
        ("tangled", 3, "unknown"),
        ("bad-lines", 2, ""),
    ],
)
def test_the_command_ends_with_the_code_of_its_verdict(name, code, first):
    arguments = [f"{FOLDER}/{name}.ndjson", *ARGUMENTS.get(name, [])]
    done = subprocess.run(
        [sys.executable, "-m", "simswarm.check.history", *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert done.stdout.split("\n")[0] == first
    assert bool(done.stderr) == (code == 2)


def test_a_wider_box_decides(capsys):
    code, out, _ = run(capsys, f"{FOLDER}/tangled.ndjson")
    assert code == 1
    assert out.startswith("not linearizable\n")


def test_the_initial_value_can_be_given(capsys, tmp_path):
    path = tmp_path / "seven.ndjson"
    path.write_text('{"client": 1, "op": "read", "key": "x", "output": 7, "start": 0, "end": 1}\n')
    assert run(capsys, str(path))[0] == 1
    assert run(capsys, str(path), "--initial", "7")[0] == 0


def test_standard_input_is_read(capsys, monkeypatch):
    line = b'{"client": 1, "op": "read", "key": "x", "output": 7, "start": 0, "end": 1}'
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(line)))
    code, out, _ = run(capsys, "-")
    assert code == 1
    assert "line 1" in out


def test_a_mark_at_the_beginning_and_windows_line_ends_are_no_mistakes(capsys, tmp_path):
    path = tmp_path / "windows.ndjson"
    line = b'{"client": 1, "op": "read", "key": "x", "output": null, "start": 0, "end": 1}'
    path.write_bytes(b"\xef\xbb\xbf" + line + b"\r\n\r\n" + line + b"\r\n")
    assert run(capsys, str(path)) == (0, "linearizable\n", "")


@pytest.mark.parametrize(
    ("content", "place", "words"),
    [
        (b"\xff\n", "1:1", "not UTF-8"),
        (b"{", "1:2", "not JSON"),
        (b"\n" + b"[" * 100_000, "2:1", "nested too deeply"),
        (b'{"client": 1, "op": 1, "key": 1, "start": 0, "end": 1}', "1:15", "unknown op"),
        (
            b'{"client": 1, "op": "read", "key": ' + b"[" * 200 + b"]" * 200
            + b', "start": 0, "end": 1}',
            "1:29",
            "nested too deeply",
        ),
        (
            b'{"client": 1, "op": "read", "key": 1, "start": 1e999, "end": null}',
            "1:39",
            "start is not a number",
        ),
        (
            b'{"client": 1, "op": "read", "key": 1, "start": true, "end": null}',
            "1:39",
            "start is not a number",
        ),
        (b'{"client": 1, "op": "read", "key": ' + b"9" * 5000 + b"}", "1:1", "digits"),
    ],
)  # fmt: skip
def test_bad_bytes_are_refused_with_their_place(content, place, words, capsys, tmp_path):
    path = tmp_path / "bad.ndjson"
    path.write_bytes(content)
    code, out, err = run(capsys, str(path))
    assert (code, out) == (2, "")
    assert err.startswith(f"{path}:{place}: error: ")
    assert words in err
    assert "hint: " in err


def test_half_a_surrogate_pair_can_be_printed(capsysbinary, tmp_path):
    path = tmp_path / "odd.ndjson"
    path.write_text(
        '{"client": "\\ud800", "op": "read", "key": "\\ud800", "output": "é\\ud800",'
        ' "start": 0, "end": 1}'
    )
    assert main([str(path)]) == 1
    assert 'read -> "é\\ud800"'.encode() in capsysbinary.readouterr().out


def test_of_many_mistakes_the_first_are_listed(capsys, tmp_path):
    path = tmp_path / "bad.ndjson"
    path.write_text("{}\n" * 50)
    code, _, err = run(capsys, str(path))
    assert code == 2
    assert err.count("error:") == 20
    assert err.endswith("and 30 more\n")


def test_a_file_that_is_not_there_is_bad_usage(capsys, tmp_path):
    code, out, err = run(capsys, str(tmp_path / "none.ndjson"))
    assert (code, out) == (2, "")
    assert "No such file" in err


@pytest.mark.parametrize("arguments", [[], ["x", "--steps", "0"], ["x", "--initial", "{"]])
def test_bad_usage_ends_in_code_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err
