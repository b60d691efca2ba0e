"""Object ids are swarmkit's."""

from __future__ import annotations

import pytest

from simswarm.base.entropy import SeededEntropy
from simswarm.base.ids import ID_LENGTH, new_id


class Given(SeededEntropy):
    """Gives these bytes."""

    __slots__ = ("drawn",)

    def __init__(self, drawn: str) -> None:
        super().__init__(0)
        self.drawn = bytes.fromhex(drawn)

    def bytes(self, size: int) -> bytes:
        assert size == len(self.drawn)
        return self.drawn


# From swarmkit's identity.NewID with its random reader replaced.
VECTORS = [
    ("0000000000000000000000000000000000", "hvy0lj3x0b883f8e30fyp2172"),
    ("8000000000000000000000000000000000", "hvy0lj3x0b883f8e30fyp2172"),
    ("0000000000000000000000000000000001", "hvy0lj3x0b883f8e30fyp2172"),
    ("eefe878e8b68932b866b8b8ed8f6abbbac", "sm5jcrjoc8yib0cgrkxi6uuen"),
    ("d7be0df80e41e14b6ce4103b5d90f5827c", "itr3r9zqwtuz8pzj6tgy1ter9"),
    ("7ec771a3f06333068a56dc5805b2a929b5", "z9dvwu86qmffgr9jsjj1pv5e4"),
    ("439125488a24c1b346721ccc3561a1bf31", "abz77svdm1ms4meq2sriido3z"),
    ("970df8ce27f0b52a54ce11021f18152dbe", "rlcta3f4icabsn9nrfuysoizs"),
    ("b4ef77dc15acd6b0f3c33b0257f1b6e155", "46833x5qod2o91vdq37xb3top"),
    ("db52c0f3f13943d849fcbd2df6511228a8", "kc0uq4jdjzxk94hvh8xo8un25"),
    ("e964b4a5d650748d9819b3b31987867dac", "q99navnv4ywrw2zoiossj9nr1"),
    ("f4af117036afeb5bd0719d1de8108e3e63", "v0du847rteuukjsdf71vedxl5"),
]


@pytest.mark.parametrize(("drawn", "id"), VECTORS)
def test_ids_are_those_of_swarmkit_for_the_same_bytes(drawn, id):
    assert new_id(Given(drawn)) == id


def test_ids_have_25_characters_of_base_36_and_differ():
    entropy = SeededEntropy(1)
    ids = [new_id(entropy) for _ in range(500)]
    assert {len(id) for id in ids} == {ID_LENGTH}
    assert set("".join(ids)) <= set("0123456789abcdefghijklmnopqrstuvwxyz")
    assert len(set(ids)) == len(ids)
