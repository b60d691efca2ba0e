"""Run bundles: what is in them, that it is data, and what is refused."""

from __future__ import annotations

import gzip
import json
import zipfile

import pytest

import simswarm
from simswarm.scenario.outcome.bundle import Bundle, BundleError, bundle_name, write_trace
from simswarm.scenario.outcome.diff import compare
from simswarm.scenario.outcome.result import ENGINE

TEXT = """\
simswarm: 1
name: tiny
cluster: {managers: 3, workers: 1}
stack: {services: {web: {image: nginx, deploy: {replicas: 2}}}}
events: [{id: crash, at: 15s, crash: w1}]
expect: [{converged: {within: 14s}}]
"""


@pytest.fixture(scope="module")
def run():
    return simswarm.run(TEXT)


@pytest.fixture
def bundle(run, tmp_path):
    return Bundle(run.save(tmp_path / "deep" / "x.swrun"))


def test_a_bundle_holds_what_its_contract_says(run, bundle):
    with zipfile.ZipFile(bundle.path) as archive:
        names = archive.namelist()
    assert [name for name in names if not name.startswith("views/")] == [
        "scenario.lock.yaml",
        "trace.ndjson.gz",
        "result.json",
        "meta.json",
    ]
    assert "views/index.json" in names
    assert bundle.result["digest"] == run.digest
    assert bundle.result["bundle"] == str(bundle.path)
    assert bundle.meta["engine"] == ENGINE
    assert list(bundle.lines()) == [record.line() for record in run.records]
    assert [view["t"] for view in bundle.views] == sorted(view["t"] for view in bundle.views)
    assert (
        bundle.views[-1]["services"]["web"]["running"] == run.result["services"]["web"]["running"]
    )


def test_its_locked_scenario_gives_the_run_again(run, bundle):
    assert simswarm.run(bundle.lock).digest == run.digest


def test_equal_runs_give_equal_parts_bar_timing(run, tmp_path):
    again = simswarm.run(TEXT)
    parts = []
    for index, one in enumerate((run, again)):
        with zipfile.ZipFile(one.save(tmp_path / f"{index}.swrun")) as archive:
            parts.append({info.filename: archive.read(info) for info in archive.infolist()})
            assert all(info.date_time[0] == 1980 for info in archive.infolist())
    for name, data in parts[0].items():
        if name not in ("result.json", "meta.json"):
            assert data == parts[1][name], name
    results = [json.loads(part["result.json"]) for part in parts]
    for result in results:
        del result["timing"], result["bundle"]
    assert results[0] == results[1]


def test_a_name_tells_scenario_seed_and_digest(run):
    assert bundle_name("tiny", 7, "sha256:0123456789") == "tiny-7-012345.swrun"


def test_a_trace_file_is_compressed_by_its_name(run, tmp_path):
    write_trace(tmp_path / "a.ndjson", run.records)
    write_trace(tmp_path / "b.ndjson.gz", run.records)
    plain = (tmp_path / "a.ndjson").read_bytes()
    assert gzip.decompress((tmp_path / "b.ndjson.gz").read_bytes()) == plain
    assert json.loads(plain.splitlines()[0])["t"] < 0


def test_what_is_no_bundle_is_refused(tmp_path):
    with pytest.raises(BundleError, match="there is no such file"):
        Bundle(tmp_path / "none.swrun")
    other = tmp_path / "other.swrun"
    other.write_text("hello")
    with pytest.raises(BundleError, match="not a run bundle"):
        Bundle(other)
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("result.json", "{}")
    with pytest.raises(BundleError, match=r"scenario.lock.yaml is missing"):
        Bundle(other)


@pytest.mark.parametrize(
    ("part", "data", "words"),
    [
        ("meta.json", b"{", "meta.json is damaged"),
        ("meta.json", b'{"format": 9}', "a bundle of format 9"),
        ("result.json", b"[]", "result.json is damaged"),
        ("trace.ndjson.gz", b"\x1f\x8bnonsense", "its trace is damaged"),
        ("trace.ndjson.gz", gzip.compress(b'{"t": 1\n'), "its trace is damaged"),
    ],
)
def test_damage_is_named(bundle, tmp_path, part, data, words):
    with zipfile.ZipFile(bundle.path) as archive:
        parts = {info.filename: archive.read(info) for info in archive.infolist()}
    damaged = tmp_path / "damaged.swrun"
    with zipfile.ZipFile(damaged, "w") as archive:
        for name, content in (parts | {part: data}).items():
            archive.writestr(name, content)

    def use_all() -> None:
        opened = Bundle(damaged)
        assert opened.result
        list(opened.records())

    with pytest.raises(BundleError, match=words):
        use_all()


def test_two_runs_are_compared_record_by_record_and_by_outcome(run, bundle, tmp_path):
    other = simswarm.run(TEXT, seed=2)
    found = compare(bundle, Bundle(other.save(tmp_path / "other.swrun")))
    assert not found["identical"]
    first = found["first_difference"]
    assert first["a"] != first["b"]
    assert first["t"] == min(first["a"]["t"], first["b"]["t"])
    assert found["expectations"][0]["verdicts"] == ["pass", "pass"]
    same = compare(bundle, bundle)
    assert same["identical"]
    assert same["first_difference"] is None
