"""`python -m benchmarks.histories`: logs of two forms become histories, verdicts are compared."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.histories import convert, main
from simswarm.check.history import check
from simswarm.check.history.__main__ import main as check_file

LOGS = Path(__file__).resolve().parents[1] / "data" / "histories" / "logs"


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(LOGS, tmp_path / "logs")


def test_known_verdicts_agree(capsys):
    assert main([str(LOGS)]) == 0
    assert "3 histories, 3 of 3 known verdicts agree" in capsys.readouterr().out


def test_a_disagreement_is_named_and_ends_in_code_1(copy, capsys):
    text = (copy / "expected.csv").read_text()
    (copy / "expected.csv").write_text(text.replace("small.log,", "small.log,not "))
    assert main([str(copy)]) == 1
    out = capsys.readouterr().out
    assert "EXPECTED not linearizable" in out
    assert "2 of 3 known" in out


def test_without_known_verdicts_there_is_nothing_to_disagree_with(copy, capsys):
    (copy / "expected.csv").unlink()
    assert main([str(copy)]) == 0
    assert "0 of 0 known" in capsys.readouterr().out


def test_a_jepsen_log_becomes_operations():
    history, register = convert(LOGS / "small.log")
    assert register.initial is None
    told = [(one.client, one.op, one.input, one.output, one.start, one.end) for one in history]
    assert told == [
        (0, "read", None, None, 1, 3),
        (1, "write", 3, None, 2, 4),
        (1, "cas", [1, 2], False, 6, 7),
        (0, "cas", [3, 4], None, 5, None),
        (3, "read", None, 4, 13, 14),
        (3, "write", 5, None, 15, None),
    ]


def test_a_keyed_log_becomes_operations():
    history, register = convert(LOGS / "c10-small.txt")
    assert register.initial == ""
    assert {(one.op, one.key, one.input, one.output) for one in history} == {
        ("read", "a", None, ""),
        ("append", "a", "x 1 y", None),
        ("write", "b", "v", None),
        ("read", "b", None, "v"),
        ("read", "a", None, "x 1 y"),
    }


def test_converted_histories_get_the_same_verdicts(tmp_path, capsys):
    assert main([str(LOGS), "--ndjson", str(tmp_path)]) == 0
    for path in (*LOGS.glob("*.log"), *LOGS.glob("*.txt")):
        code = check_file([str(tmp_path / f"{path.stem}.ndjson")])
        assert code == (0 if check(*convert(path)) else 1)


@pytest.mark.parametrize("line", ["INFO nonsense", "INFO  jepsen.util - 5\t:ok\t:read\tnil"])
def test_a_line_of_no_known_form_is_refused_with_its_place(copy, line, capsys):
    path = copy / "small.log"
    path.write_text(path.read_text() + line + "\n")
    assert main([str(copy)]) == 2
    assert f"{path}:16: " in capsys.readouterr().err


def test_a_folder_without_logs_is_bad_usage(tmp_path, capsys):
    assert main([str(tmp_path)]) == 2
    assert "no *.log" in capsys.readouterr().err
