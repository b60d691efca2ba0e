"""Golden conversations (`golden/*.txt`): what members say, readable beside the paper.

`SIMSWARM_REWRITE_GOLDEN=1` writes them anew; commit a rewrite only if you understand it.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.raft.conversation import Conversation

FILES = sorted((Path(__file__).parent / "golden").glob("*.txt"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_the_conversation_is_as_written(path):
    written = path.read_text()
    said = Conversation().run(written)
    if os.environ.get("SIMSWARM_REWRITE_GOLDEN"):
        path.write_text(said)
    assert said == written


def test_there_are_conversations():
    assert len(FILES) >= 6
