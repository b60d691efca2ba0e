"""Bundles from elsewhere: damaged, swollen or lying ones are refused, and run nothing."""

from __future__ import annotations

import gzip
import json
import random
import zipfile

import pytest

import simswarm
from simswarm.cli.app import run

SCENARIO = """\
simswarm: 1
name: tiny
cluster: {managers: 1, workers: 1}
until: 4s
stack: {services: {web: {image: "n:1", deploy: {replicas: 2}}}}
"""
COMMANDS = ("replay", "replay --to 2s", "trace", "plot", "plot --kind roles", "diff")


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    return simswarm.run(SCENARIO).save(tmp_path_factory.mktemp("bundle") / "good.swrun")


@pytest.fixture
def codes(good, tmp_path, monkeypatch, capsys):
    """How every command ends that is given these bytes, or these parts instead of good ones."""
    monkeypatch.chdir(tmp_path)

    def found(data=None, only=COMMANDS, **parts):
        path = tmp_path / "other.swrun"
        if data is None:
            with zipfile.ZipFile(good) as source:
                all_parts = {name: source.read(name) for name in source.namelist()}
            all_parts |= {name.replace("__", "/"): part for name, part in parts.items()}
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
                for name, part in all_parts.items():
                    target.writestr(name, part)
        else:
            path.write_bytes(data)
        ends = {}
        for words in only:
            command, *rest = words.split()
            second = [str(good)] if command == "diff" else []
            ends[words] = run([command, str(path), *second, *rest])
        assert "Traceback" not in capsys.readouterr().err
        return ends

    return found


def parts_of(good, name):
    with zipfile.ZipFile(good) as source:
        return json.loads(source.read(name))


def test_a_zip_bomb_is_not_unpacked(codes):
    assert set(codes(views__0099=b"0" * 100_000_000).values()) == {2}


def test_a_foreign_part_is_left_alone(codes):
    assert set(codes(evil=b"0" * 100_000_000).values()) <= {0, 1, 3}


def test_a_trace_that_is_one_endless_line_is_damaged(codes):
    ends = codes(**{"trace.ndjson.gz": gzip.compress(b"0" * 100_000_000)})
    assert ends["trace"] == ends["plot"] == ends["diff"] == 2


@pytest.mark.parametrize(
    "lock", [b"/etc/hostname", b"simswarm: 1\nstack: /etc/hostname\n", b"\xff", b"", b"[" * 5000]
)
def test_a_locked_scenario_reads_no_other_file(codes, lock, capsys):
    ends = codes(**{"scenario.lock.yaml": lock})
    assert ends["replay"] == ends["replay --to 2s"] == 2


@pytest.mark.parametrize(
    "line",
    [
        *(b"{}", b"[]", b"\xff", b'{"t":"a","node":1,"kind":null}', b"[" * 50_000),
        b'{"t":1,"node":"m1","kind":"engine.container","service":[1],"task":{}}',
        b'{"t":1,"node":"m1","kind":"raft.role","term":"x","role":5}',
    ],
)
def test_records_that_are_none_end_in_2_or_are_shown(codes, line):
    assert set(codes(**{"trace.ndjson.gz": gzip.compress(line + b"\n")}).values()) <= {0, 1, 2, 3}


@pytest.mark.parametrize("value", [None, 5, [1], {"a": 1}])
def test_results_of_another_shape_are_no_bug(codes, good, value):
    result = parts_of(good, "result.json")
    for field in result:
        other = json.dumps({**result, field: value}).encode()
        assert 4 not in codes(only=("diff",), **{"result.json": other}).values(), field


def test_flipped_bytes_never_end_in_a_bug(codes, good):
    rng = random.Random(1)
    whole = good.read_bytes()
    for _ in range(30):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 3, 20))):
            data[rng.randrange(len(data))] = rng.randrange(256)
        assert 4 not in codes(bytes(data)).values()


@pytest.mark.parametrize(("at", "value"), [((6, 8), 1), ((8, 10), 99)])
def test_encrypted_and_foreign_compression_is_refused(codes, good, at, value):
    data = bytearray(good.read_bytes())
    for mark, offset in zip((b"PK\x03\x04", b"PK\x01\x02"), at, strict=True):
        place = data.find(mark)
        while place >= 0:
            data[place + offset] = value
            place = data.find(mark, place + 4)
    assert set(codes(bytes(data)).values()) == {2}


def test_a_result_without_its_end_cannot_be_drawn(codes, good):
    result = parts_of(good, "result.json")
    del result["simulated_seconds"]
    other = json.dumps(result).encode()
    assert codes(only=("plot",), **{"result.json": other}) == {"plot": 2}
