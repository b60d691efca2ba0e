"""Where the files are that the tests of the format read."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DESIGN = ROOT / "scenarios" / "design"
EVERYTHING = ROOT / "tests" / "data" / "scenarios" / "everything.yaml"
"""A file that uses every key of the format."""
