"""What happened to each object, as a sequence: the trace without times, ids and places.

Tasks have no names, so a service's tasks are compared as they stand in their slots: per slot, the
sequences of its tasks in the order of their creation. Slots of a service are alike, and which of
them comes to stand on which node is a matter of chance and of microseconds: they are compared
without their numbers.
"""

from __future__ import annotations

from typing import Any

Record = tuple[int, str, str, dict[str, Any]]
Sequences = dict[str, list[Any]]


def sequences(records: list[Record]) -> Sequences:
    """Per object, the states it went through."""
    found: Sequences = {}
    histories: dict[str, dict[str, list[Any]]] = {}
    """Slot → task → what was recorded of it and of its container."""
    for _, node, kind, fields in sorted(records, key=lambda record: record[0]):
        match kind:
            case "task.state":
                task = fields["task"]
                history = histories.setdefault(f"{fields['service']}.{fields['slot']}", {})
                add(history, f"{task} states", (fields["to"], fields["desired"]))
            case "engine.container":
                history = histories.setdefault(f"{fields['service']}.{fields['slot']}", {})
                entry = (fields["action"], fields["exit_code"])
                add(history, f"{fields['task']} container", entry)
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
    for slot, history in histories.items():
        name = f"tasks of {slot.rpartition('.')[0]}"
        found.setdefault(name, []).append(list(history.values()))
    for name, entries in found.items():
        if name.startswith("tasks of"):
            found[name] = sorted(entries, key=repr)
    return found


def add(found: Sequences, name: str, entry: Any) -> None:
    """Append, unless it only repeats."""
    sequence = found.setdefault(name, [])
    if not sequence or sequence[-1] != entry:
        sequence.append(entry)
