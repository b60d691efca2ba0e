"""Sizes, spans, ports, mounts and pairs as docker's flags take them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simswarm.base.time import MILLISECOND, MINUTE, SECOND
from simswarm.dockercli import values
from simswarm.dockercli.values import BadValue
from simswarm.model.specs import GenericResource, Mount, Port


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [
        (values.span, "1m30s", 90 * SECOND),
        (values.span, "1.5m", 90 * SECOND),
        (values.span, "0", 0),
        (values.span, "250ms", 250 * MILLISECOND),
        (values.span, "+1m", MINUTE),
        (values.size, "64M", 64 * 2**20),
        (values.size, "1.5gb", 3 * 2**29),
        (values.size, "100", 100),
        (values.nano_cpus, "0.25", 250_000_000),
        (values.unsigned, "18446744073709551615", 2**64 - 1),
        (values.ratio, "0.25", 0.25),
        (values.key_value, "a=b=c", ("a", "b=c")),
        (values.key_value, "a", ("a", "")),
        (values.spread, "spread=node.labels.zone", "node.labels.zone"),
        (values.generic_resource, "gpu=2", GenericResource("gpu", count=2)),
        (values.ports, "80", (Port(80),)),
        (values.ports, "[::1]:8080:80", (Port(80, 8080),)),
        (values.ports, "3000-3001:80-81/udp", (Port(80, 3000, "udp"), Port(81, 3001, "udp"))),
        (values.ports, "target=80,published=90,mode=host", (Port(80, 90, "tcp", "host"),)),
        (values.mount, "source=v,target=/d,ro", Mount("volume", "v", "/d", True)),
        (values.mount, "type=bind,src=/a,dst=/b", Mount("bind", "/a", "/b")),
    ],
)
def test_what_docker_takes(read, text, value):
    assert read(text) == value


@pytest.mark.parametrize(
    ("read", "text", "words"),
    [
        (values.span, "5", 'time: missing unit in duration "5"'),
        (values.span, "5y", 'time: invalid duration "5y"'),
        (values.span, "1d", 'time: invalid duration "1d"'),
        (values.span, "-5s", "duration cannot be negative"),
        (values.span, "", 'time: invalid duration ""'),
        (values.size, "lots", "invalid size: 'lots'"),
        (values.nano_cpus, "x", "failed to parse x as a rational number"),
        (values.nano_cpus, "0.0000000001", "value is too precise"),
        (values.unsigned, "9" * 30, "value out of range"),
        (values.ratio, "half", "ParseFloat"),
        (values.spread, "zone", "must be of the format"),
        (values.spread, "pack=x", "only spread is supported"),
        (values.generic_resource, "gpu", "invalid generic-resource"),
        (values.ports, "0", "invalid range"),
        (values.ports, "80:http", "invalid containerPort: 80:http"),
        (values.ports, "80/icmp", "invalid proto: icmp"),
        (values.ports, "3000-3001:80", "invalid ranges"),
        (values.ports, "target=80,mode=x", "invalid publish mode"),
        (values.ports, "mode=host", "missing mandatory field: target"),
        (values.mount, "type=x,target=/d", "unknown mount type: x"),
        (values.mount, "type=bind", "target is required"),
        (values.mount, "a=b", "unexpected key 'a'"),
        (values.mount, "x", "must be a key=value pair"),
        (values.key_value, "=x", "empty name"),
    ],
)
def test_what_docker_refuses(read, text, words):
    with pytest.raises(BadValue) as raised:
        read(text)
    assert words in str(raised.value)


READERS = (
    *(values.span, values.size, values.nano_cpus, values.unsigned, values.ratio, values.key_value),
    *(values.variable, values.spread, values.generic_resource, values.ports, values.mount),
)


def said(read, text) -> str:
    try:
        return repr(read(text))
    except BadValue as refusal:
        return str(refusal)


@pytest.mark.parametrize("read", READERS)
@given(text=st.one_of(st.text(max_size=12), st.text("0123456789.:-/=,ksmgb", max_size=12)))
def test_any_text_is_read_or_refused(read, text):
    assert said(read, text)
