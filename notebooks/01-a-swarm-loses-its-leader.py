# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A swarm loses its leader
#
# **Question: what can a Docker Swarm not do while it has no leader, and for how long?**
#
# Three managers agree on everything by Raft; one of them leads. We take away the leader's power in the middle of a
# deploy and look at what stops, what goes on, and what it costs. Everything you see is the real control plane; only
# time, network, disks and containers are simulated. Open this file with jupytext (`jupytext --to notebook`), or read it.

# %%
import simswarm

swarm = simswarm.Cluster(managers=3, workers=2, seed=1)
print("leader:", swarm.leader)
print(swarm.docker("service create --name web --replicas 4 nginx"))
swarm.advance(until="converged")
print(f"after {swarm.now:.1f} s:", swarm.services["web"]["running"], "of 4 tasks run")

# %% [markdown]
# ## Predict
#
# The leader's node is about to lose power. Write down before you go on:
#
# 1. How long will it take until there is a new leader? (Swarm's managers tick once a second; a follower becomes
#    restless after 10 to 19 ticks without a sign of life.)
# 2. What happens to the tasks on the *other* nodes meanwhile?
# 3. When are the tasks of the dead node replaced?

# %%
before = swarm.now
lost = swarm.leader
swarm.crash("leader")
swarm.advance(5)
print(f"{lost} is gone; leader now: {swarm.leader}")
running = [task for task in swarm.tasks("web") if task.status.state.name == "RUNNING"]
print(len(running), "tasks are still listed as running: nobody has noticed yet")

# %%
while swarm.leader is None or swarm.leader == lost:
    swarm.advance(0.1)
print(f"{swarm.leader} leads after {swarm.now - before:.1f} s without a leader")
elections = [
    (round(record.t / 1e9 - before, 2), record.node, record.get("role"), record.get("term"))
    for record in swarm.trace.records("raft.role")
    if record.t / 1e9 > before
]
elections

# %% [markdown]
# The new leader does not know how its nodes are: it sets every node to *unknown* and gives each about 30 s to say
# something. So the tasks of a dead *leader* are replaced much later than those of a dead worker: election, then 30 s,
# then the restart delay of 5 s.

# %%
swarm.advance(until="converged")
print(
    f"all tasks run again {swarm.now - before:.0f} s after the crash (5 s of it are the stable span)"
)
{name: (node["status"], node["tasks"]) for name, node in swarm.nodes.items()}

# %% [markdown]
# ## A whole scenario, and its pictures
#
# The same as a file, with expectations and a verdict. One run is an example, not a probability.

# %%
run = simswarm.run("leader-crash", seed=1)
for expectation in run.result["expectations"]:
    print(expectation["verdict"], "-", expectation["name"], "-", expectation["message"])
print(run.digest)

# %%
from simswarm.report.timeline import roles, running_tasks

records = [{"t": r.t / 1e9, "node": r.node, "kind": r.kind, **dict(r.fields)} for r in run.trace]
end = run.result["simulated_seconds"]
running_tasks(records, end)

# %%
roles(records, end)

# %% [markdown]
# ## Many seeds
#
# How long is a swarm without a leader? Ask thirty seeds. Runs in which the first vote was split take longer.

# %%
from simswarm.report.distribution import ecdf
from simswarm.report.sample import Sample

waits = []
for seed in range(1, 31):
    result = simswarm.run("leader-crash", seed=seed).result
    waits.append(
        next(e["measured"] for e in result["expectations"] if e["kind"] == "leader_elected")
    )
ecdf("No leader for …", "seconds after the crash", {"3 managers": Sample(tuple(waits))})

# %% [markdown]
# ## Exercises
#
# 1. Crash a *worker* instead (`swarm.crash("w1")`). Which of the three delays are gone?
# 2. Give the swarm five managers and crash two at once. And three?
# 3. `simswarm run leader-crash --fork-at 22s --with 'scale: {web: 3}'`: what becomes of a command that arrives
#    while there is no leader?
