"""Every message, log record and proposal survives its encoding; nothing foreign gets in."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from simswarm.base.errors import RemoteProtocolError, StorageCorrupt
from simswarm.base.values import Value
from simswarm.raft import AppendEntries, Entry, HardState, LeaderHeartbeat
from simswarm.store import Put, Remove
from simswarm.wire import codec
from simswarm.wire.codec import LogRecord, Message, Proposal
from simswarm.wire.control import RemoveService
from simswarm.wire.dispatcher import Heartbeat
from simswarm.wire.join import JoinAccepted
from tests.wire.values import members, values

MESSAGES = members(Message)


def tag(message: type) -> int:
    return message.__struct_config__.tag


def test_there_are_as_many_tags_as_messages():
    assert len({tag(message) for message in MESSAGES}) == len(MESSAGES) >= 40


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_a_message_comes_back_equal_and_with_the_same_bytes(message, data):
    sent = data.draw(values(message))
    frame = codec.encode(sent)
    received = codec.decode(frame)
    assert received == sent
    assert type(received) is message
    assert codec.encode(received) == frame
    assert codec.feature_level(frame) == codec.FEATURE_LEVEL


@settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_proposals_and_log_records_come_back(data):
    proposal = data.draw(values(Proposal))
    assert codec.decode_proposal(codec.encode_proposal(proposal)) == proposal
    for kind in members(LogRecord):
        record = data.draw(values(kind))
        assert codec.decode_record(codec.encode_record(record)) == record


@pytest.mark.parametrize(
    ("message", "frame"),
    [
        (Heartbeat("n1", "s1"), "01019352a26e31a27331"),
        (LeaderHeartbeat(3, 1, 2, 300), "0101951a030102cd012c"),
        (
            AppendEntries(3, 1, 2, 4, 3, 4, (Entry(3, 5, b"x"),)),
            "010198180301020403049195140305c4017800",
        ),
        (RemoveService("a"), "0101922aa161"),
        (JoinAccepted("a", "b"), "01019365a161a162"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Value) else "",
)
def test_frames_keep_their_bytes_for_ever(message, frame):
    """Golden: nodes of different versions must understand each other."""
    assert codec.encode(message).hex() == frame


def test_records_keep_their_bytes_for_ever():
    assert codec.encode_record(Entry(1, 2, b"x")).hex() == "95140102c4017800"
    assert codec.encode_record(HardState(1, 2, 3)).hex() == "9415010203"
    remove = Proposal(1, "a.b", (Remove("Task", "t"),))
    assert codec.encode_proposal(remove).hex() == "9301a3612e62919302a45461736ba174"


class HeartbeatOfTheFuture(Value, frozen=True, tag=82):
    node_id: str
    session_id: str
    mood: str = "fine"


def test_fields_that_a_newer_version_appended_are_passed_over():
    frame = codec.encode(HeartbeatOfTheFuture("n", "s"))
    assert codec.decode(frame) == Heartbeat("n", "s")


class UnknownMessage(Value, frozen=True, tag=9999):
    x: int = 0


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x01",
        b"\x01\x01",
        b"\x02" + codec.encode(Heartbeat("n", "s"))[1:],
        codec.encode(Heartbeat("n", "s")) + b"\x00",
        codec.encode(Heartbeat("n", "s"))[:-1],
        codec.encode(UnknownMessage()),
        codec.encode(HardState(1, 2, 3)),
        b"\x01\x01\x93\x52\xa1\xff\xa1s",
        b"\x01\x01" + b"\x91" * 100_000,
        b"\x01\x01\x94\x52\xa1a\xa1b" + b"\x91" * 100_000,
        b"\x01\x01\xdd\xff\xff\xff\xff",
        b"\x01\x01\x93\x52\xdb\xff\xff\xff\xff",
        b"\x01\x01\x82\x00\x52\x01\xa1a",
    ],
)
def test_what_is_no_message_is_refused(frame):
    with pytest.raises(RemoteProtocolError):
        codec.decode(frame)


@settings(max_examples=300)
@given(st.data())
def test_damaged_frames_decode_or_are_refused(data):
    """Nothing else: no other exception, however the bytes are mangled."""
    message = data.draw(st.sampled_from(MESSAGES).flatmap(values))
    frame = bytearray(codec.encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(frame) - 1))
        match data.draw(st.sampled_from(["change", "cut", "insert"])):
            case "change":
                frame[place] = data.draw(st.integers(0, 255))
            case "cut":
                del frame[max(1, place) :]
            case _:
                frame[place:place] = data.draw(st.binary(max_size=4))
    try:
        decoded = codec.decode(bytes(frame))
    except RemoteProtocolError:
        return
    assert isinstance(decoded, tuple(MESSAGES))
    codec.encode(decoded)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x93\x01\xa1x\x91\x92\x63\xc0",  # a change of an unknown kind
        b"\x93\x01\xa1x\x91\x93\x02\xa7Network\xa1t",  # removing an object of an unknown kind
        b"\x93\x01\xa1x\x91\x92\x01\x92\x63\xa1t",  # an object of an unknown kind
        b"\x91" * 100_000,
    ],
)
def test_a_change_of_an_unknown_kind_is_never_skipped(data):
    with pytest.raises(StorageCorrupt):
        codec.decode_proposal(data)


@pytest.mark.parametrize("payload", [b"", b"\x92\x63\x01", b"\x94\x15\x01\x02", b"\x91" * 100_000])
def test_a_log_record_of_an_unknown_kind_is_refused(payload):
    with pytest.raises(StorageCorrupt):
        codec.decode_record(payload)


def test_values_are_frozen_and_copy_as_themselves():
    import copy

    beat = Heartbeat("n", "s")
    with pytest.raises(AttributeError):
        beat.node_id = "x"  # type: ignore[misc]
    assert copy.copy(beat) is beat
    assert copy.deepcopy([beat])[0] is beat
    assert hash(beat) == hash(Heartbeat("n", "s"))


def test_no_message_or_object_carries_a_map():
    """The same value must have one encoding: maps would have as many as orders."""

    def maps(info) -> list[str]:
        found = []
        seen: set[int] = set()
        stack = [info]
        while stack:
            node = stack.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            if isinstance(node, msgspec.inspect.DictType | msgspec.inspect.SetType):
                found.append(repr(node))
            for name in getattr(node, "__struct_fields__", ()):
                part = getattr(node, name)
                if isinstance(part, msgspec.inspect.Type | msgspec.inspect.Field):
                    stack.append(part)
                elif isinstance(part, tuple):
                    stack.extend(part)
        return found

    class WithMap(Value, frozen=True):
        parts: tuple[dict[str, int] | None, ...]

    assert maps(msgspec.inspect.type_info(WithMap)), "the search finds one that is there"
    for kind in (*MESSAGES, *members(LogRecord), Proposal, Put):
        assert maps(msgspec.inspect.type_info(kind)) == [], kind
