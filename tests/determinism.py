"""Same scenario and seed, same digest: whatever the hashes, Python, process or trace level.

    python -m tests.determinism              the whole matrix (part of the longer suite)
    python -m tests.determinism digests …    one process's digests, as JSON (what the matrix calls)

For every shipped scenario: PYTHONHASHSEED 0, 1 and random; every supported Python that is on this
machine (in a virtual environment of its own, kept in .venvs/); many runs in one process or a
process each; both trace levels; a replay with `--verify`; forks with nothing injected, stopped at
random moments and gone on with. Another seed must give another digest.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
VERSIONS = ("3.11", "3.12", "3.13")
FORKS = 20


def shipped() -> list[str]:
    """Every scenario of the repository, by path."""
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / "scenarios").rglob("*.yaml"))


def digests(
    files: list[str], seed: int | None, level: str, fork_share: float | None
) -> dict[str, str]:
    """The digest of each file that can run; of one that can't yet, `refused`."""
    from simswarm.base.errors import ScenarioError
    from simswarm.scenario.fork import forked
    from simswarm.scenario.loading.load import load_scenario
    from simswarm.scenario.run import Playing, play

    found = {}
    for file in files:
        try:
            scenario = load_scenario(ROOT / file, {"x-trace": level}, runnable=True)
        except ScenarioError:
            found[file] = "refused"
            continue
        run = play(scenario, seed=seed)
        found[file] = run.digest
        if fork_share is not None:
            moment = int(run.result["simulated_seconds"] * fork_share * 1e9)
            playing = Playing(forked(scenario, moment, []), seed=seed)
            playing.form()
            playing.advance(moment)
            playing.play()
            found[file] = playing.finish().digest
    return found


def elsewhere(python: str, hash_seed: str, files: list[str], *options: str) -> dict[str, str]:
    """The digests that a process of its own finds."""
    words = [python, "-m", "tests.determinism", "digests", *files, *options]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(words)}\n{done.stderr.decode()}")
    found: dict[str, str] = json.loads(done.stdout)
    return found


def pythons() -> Iterator[tuple[str, str]]:
    """(version, interpreter with everything installed) of the other Pythons on this machine."""
    mine = f"{sys.version_info.major}.{sys.version_info.minor}"
    for version in VERSIONS:
        found = None if version == mine else _interpreter(version)
        if found is None:
            continue
        folder = ROOT / ".venvs" / version
        python = folder / "bin" / "python"
        if not (folder / ".ready").exists():
            print(f"setting up Python {version}", flush=True)
            subprocess.run([found, "-m", "venv", str(folder)], check=True)
            pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
            lock = str(ROOT / "requirements.lock")
            subprocess.run([*pip, "--require-hashes", "-r", lock], check=True)
            (folder / ".ready").touch()
        yield version, str(python)


def _interpreter(version: str) -> str | None:
    """An interpreter of this version that runs: on the path, or among pyenv's."""
    candidates = [shutil.which(f"python{version}")]
    pyenv = os.environ.get("PYENV_ROOT")
    if pyenv:
        versions = sorted(Path(pyenv, "versions").glob(f"{version}.*/bin/python"))
        candidates += [str(path) for path in versions]
    for candidate in candidates:
        if candidate is None:
            continue
        told = subprocess.run([candidate, "--version"], capture_output=True, check=False)
        if told.returncode == 0 and f"Python {version}." in told.stdout.decode():
            return candidate
    return None


class Matrix:
    """Comparisons with one baseline, counted."""

    def __init__(self) -> None:
        self.files = shipped()
        self.baseline = elsewhere(sys.executable, "0", self.files)
        self.passed = self.failed = 0
        running = [file for file in self.files if self.baseline[file] != "refused"]
        print(f"{len(running)} of {len(self.files)} scenarios can run")
        self.files = running

    def same(self, what: str, found: dict[str, str]) -> None:
        """These digests must be the baseline's."""
        for file, digest in found.items():
            self._count(digest == self.baseline[file], f"{what}: {file}")
        print(f"{what}: {len(found)} compared", flush=True)

    def other(self, what: str, found: dict[str, str]) -> None:
        """These must all differ from the baseline's."""
        for file, digest in found.items():
            self._count(digest != self.baseline[file], f"{what}: {file}")
        print(f"{what}: {len(found)} compared", flush=True)

    def replayed(self) -> None:
        """A bundle replayed with --verify, for each scenario."""
        for file in self.files:
            folder = ROOT / ".simswarm" / "determinism"
            shutil.rmtree(folder, ignore_errors=True)
            run = [sys.executable, "-m", "simswarm"]
            subprocess.run([*run, "-q", "run", file, "--out", str(folder)], cwd=ROOT,
                           capture_output=True, check=False)  # fmt: skip
            bundle = next(folder.glob("*.swrun"))
            done = subprocess.run([*run, "-q", "replay", str(bundle), "--verify"], cwd=ROOT,
                                  capture_output=True, check=False)  # fmt: skip
            identical = b"identical" in done.stdout + done.stderr
            self._count(done.returncode != 5 and identical, f"replay: {file}")
        print(f"replay --verify: {len(self.files)} compared", flush=True)

    def _count(self, held: bool, what: str) -> None:
        if held:
            self.passed += 1
        else:
            self.failed += 1
            print(f"DIFFERS  {what}", flush=True)


def matrix() -> int:
    """Compare everything with everything; 0 if all held."""
    table = Matrix()
    for hash_seed in ("1", "random"):
        found = elsewhere(sys.executable, hash_seed, table.files)
        table.same(f"PYTHONHASHSEED {hash_seed}", found)
    alone: dict[str, str] = {}
    for file in table.files:
        alone |= elsewhere(sys.executable, "random", [file])
    table.same("a process each", alone)
    table.same("full trace", elsewhere(sys.executable, "2", table.files, "--level", "full"))
    for version, python in pythons():
        table.same(f"Python {version}", elsewhere(python, "random", table.files))
    moments = random.Random(1)
    for _ in range(FORKS):
        share = f"{moments.random():.6f}"
        found = elsewhere(sys.executable, "random", table.files, "--fork-share", share)
        table.same(f"empty fork at {float(share):.1%} of the run", found)
    table.replayed()
    table.other("another seed", elsewhere(sys.executable, "0", table.files, "--seed", "987654"))
    print(f"{table.passed} passed, {table.failed} failed")
    return 1 if table.failed or not table.passed else 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", nargs="?", choices=("matrix", "digests"), default="matrix")
    parser.add_argument("files", nargs="*")
    parser.add_argument("--seed", type=int)
    parser.add_argument("--level", default="normal")
    parser.add_argument("--fork-share", type=float)
    chosen = parser.parse_args()
    if chosen.command == "matrix":
        return matrix()
    print(json.dumps(digests(chosen.files, chosen.seed, chosen.level, chosen.fork_share)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
