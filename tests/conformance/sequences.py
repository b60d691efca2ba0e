"""What happened to each object, as a sequence: the trace without times, ids and places.

Tasks have no names, so a service's tasks are compared as they stand in their slots: per slot, the
sequences of its tasks in the order of their creation.
"""

from __future__ import annotations

from typing import Any

Record = tuple[int, str, str, dict[str, Any]]
Sequences = dict[str, list[Any]]


def sequences(records: list[Record]) -> Sequences:
    """Per object, the states it went through."""
    found: Sequences = {}
    tasks: dict[str, str] = {}
    slots: dict[str, int] = {}
    for _, node, kind, fields in sorted(records, key=lambda record: record[0]):
        match kind:
            case "task.state":
                task = fields["task"]
                if task not in tasks:
                    slot = f"{fields['service']}.{fields['slot']}"
                    slots[slot] = slots.get(slot, 0) + 1
                    tasks[task] = f"task {slot} #{slots[slot]}"
                add(found, tasks[task], (fields["to"], fields["desired"]))
            case "engine.container":
                name = tasks.get(fields["task"], fields["task"])
                entry = (fields["action"], fields["exit_code"])
                add(found, f"container of {name}", entry)
            case "raft.role":
                entry = (fields["role"], fields["term"], fields["leader"])
                add(found, f"raft {node}", entry)
            case "node.state" | "node.availability" | "node.role":
                add(found, f"{kind} {fields['subject']}", fields["to"])
            case "service.update":
                add(found, f"update {fields['service']}", fields["to"])
            case "service.spec":
                add(found, f"spec {fields['service']}", (fields["action"], fields["replicas"]))
            case "process.crash":
                add(found, f"crash {node}", (fields["lose"], fields["reason"]))
    return found


def add(found: Sequences, name: str, entry: Any) -> None:
    """Append, unless it only repeats."""
    sequence = found.setdefault(name, [])
    if not sequence or sequence[-1] != entry:
        sequence.append(entry)
