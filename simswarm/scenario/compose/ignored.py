"""Keys of Compose that have no effect here, and why: by Swarm's doing or by ours.

Source: docker/cli cli/compose/types (unsupported, deprecated and forbidden properties of
`docker stack deploy`).
"""

from __future__ import annotations

_BY_SWARM = (
    *("build", "cgroupns_mode", "cgroup_parent", "container_name", "depends_on", "devices"),
    *("domainname", "expose", "extends", "external_links", "ipc", "links", "mac_address"),
    *("mem_limit", "memswap_limit", "cpus", "network_mode", "pid", "platform", "privileged"),
    *("profiles", "pull_policy", "restart", "scale", "security_opt", "shm_size", "userns_mode"),
    *("volume_driver", "volumes_from", "cpu_quota", "cpu_shares", "cpuset"),
)
_BY_US = (
    *("cap_add", "cap_drop", "credential_spec", "dns", "dns_search", "dns_opt", "env_file"),
    *("extra_hosts", "init", "isolation", "logging", "read_only", "stdin_open", "sysctls"),
    *("tmpfs", "tty", "ulimits", "user", "working_dir", "group_add", "oom_score_adj"),
)
_HINTS = {
    "restart": "Swarm restarts tasks by deploy.restart_policy",
    "scale": "the number of tasks is deploy.replicas",
    "mem_limit": "memory is limited by deploy.resources.limits.memory",
    "cpus": "processors are limited by deploy.resources.limits.cpus",
    "depends_on": "Swarm starts services in no order: they must wait for each other themselves",
    "container_name": "Swarm names containers SERVICE.SLOT.TASK",
    "build": "Swarm takes images from a registry",
}


def why_ignored(key: str) -> tuple[str, str] | None:
    """Why a key of a service has no effect, and a hint; None if it is none of Compose's."""
    if key in _BY_SWARM:
        return f"Swarm ignores '{key}'", _HINTS.get(key, "")
    if key in _BY_US:
        return f"'{key}' has no effect in simswarm", ""
    return None
