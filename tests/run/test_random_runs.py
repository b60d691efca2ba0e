"""Random scenarios: whatever happens to a swarm, no invariant breaks and the run can be repeated.

Goal: find what no hand-written scenario thinks of. Method: draw a cluster, a stack and a list of
events; run it; then run its locked form and compare. Liveness is not judged: a swarm may well end
up unable to converge.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import simswarm
from simswarm.scenario.loading.load import load_scenario
from simswarm.scenario.outcome.keep import locked

TARGETS = ["leader", "followers", "m1", "w1", "w2", "minority", "random(workers)", "running(web)"]
DISTURBING = st.one_of(
    st.builds(
        lambda target, lose: {"crash": {"target": target, "lose": lose}},
        st.sampled_from(TARGETS),
        st.sampled_from(["nothing", "unsynced", "disk"]),
    ),
    st.builds(lambda target: {"pause": target}, st.sampled_from(TARGETS)),
    st.builds(
        lambda groups: {"partition": groups},
        st.sampled_from([[["m1", "w1"]], [["minority"]], [["leader"], ["followers"]], [["m1"]]]),
    ),
    st.builds(
        lambda source, loss, latency, oneway: {
            "link": {"from": source, "loss": f"{loss}%", "latency": f"{latency}ms"}
            | {"duplicate": "5%", "reorder": "5%", "oneway": oneway}
        },
        st.sampled_from(["managers", "m1", "all"]),
        st.sampled_from([1, 10, 50, 100]),
        st.sampled_from([1, 50, 300]),
        st.booleans(),
    ),
    st.builds(lambda target: {"drain": target}, st.sampled_from(TARGETS)),
)
LASTING = st.one_of(
    st.builds(lambda count: {"scale": {"web": count}}, st.integers(0, 8)),
    st.builds(
        lambda version: {"update": {"service": "web", "image": f"shop/web:{version}"}},
        st.integers(1, 4),
    ),
    st.builds(
        lambda slot, code: {"container": {"target": f"web.{slot}", "exit": code}},
        st.integers(1, 6),
        st.integers(0, 3),
    ),
    st.sampled_from(
        [
            {"rollback": "web"},
            {"update": {"service": "api", "force": True}},
            {"docker": "service update --limit-cpu 1 web"},
            {"docker": "--host m2 service scale api=4"},
            {"activate": "all"},
            {"restart": "all"},
            {"heal": "all"},
            {"remove": "api"},
        ]
    ),
)
EVENTS = st.lists(
    st.one_of(
        st.builds(
            lambda action, at, span: {"at": f"{at}ms", **action, "for": f"{span}s"},
            DISTURBING,
            st.integers(0, 100_000),
            st.integers(1, 50),
        ),
        st.builds(lambda action, at: {"at": f"{at}ms", **action}, LASTING, st.integers(0, 100_000)),
    ),
    max_size=10,
)
CLUSTERS = st.fixed_dictionaries(
    {
        "managers": st.sampled_from([1, 3, 5]),
        "workers": st.just(2),
        "zones": st.just(["a", "b"]),
        "network": st.sampled_from(["lan", "wan", "flaky"]),
    }
)
UPDATES = st.fixed_dictionaries(
    {
        "order": st.sampled_from(["start-first", "stop-first"]),
        "failure_action": st.sampled_from(["pause", "rollback", "continue"]),
        "parallelism": st.integers(0, 2),
    }
)
IMAGES = {
    "shop/web:2": {"pull": "1s..4s", "healthy": "2s"},
    "shop/web:3": {"healthy": "never"},
    "shop/web:4": {"exit": {"after": "3s", "code": 1}},
}


def stack(update: dict) -> dict:
    reserved = {"reservations": {"cpus": "1", "memory": "1g"}}
    deploy = {"replicas": 4, "update_config": update, "resources": reserved}
    constraint = {"placement": {"constraints": ["node.labels.zone == a"]}}
    return {
        "services": {
            "web": {"image": "shop/web:1", "deploy": deploy},
            "api": {"image": "shop/api:1", "deploy": {"replicas": 2}},
            "db": {"image": "postgres", "deploy": constraint},
        }
    }


def check(seed: int, cluster: dict, update: dict, events: list[dict]) -> None:
    settings = {"cluster": cluster, "stack": stack(update), "events": events, "images": IMAGES}
    scenario = load_scenario("simswarm: 1\nname: drawn\n", settings, runnable=True)
    run = simswarm.run(scenario, seed=seed)
    assert [one.name for one in run.invariants if not one.holds] == []
    assert run.story()
    again = simswarm.run(locked(scenario, seed, None, run.resolved))
    assert (again.digest, again.result["trace_digest"]) == (
        run.digest,
        run.result["trace_digest"],
    )


DRAWN = given(st.integers(0, 2**32), CLUSTERS, UPDATES, EVENTS)
QUICK = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
LONG = settings(QUICK, max_examples=500)

test_whatever_happens_no_invariant_breaks = QUICK(DRAWN(check))
test_whatever_happens_no_invariant_breaks_at_length = pytest.mark.slow(LONG(DRAWN(check)))
