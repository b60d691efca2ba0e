"""Arithmetic of resources: what a node has left, and which pieces a task got.

CPU and memory are plain numbers. A generic resource is a *count* (`value` empty) or one *named*
piece; a reservation is always a count. N named pieces satisfy a count of N: the first N names are
claimed and recorded on the task, so that they can be given back.

Invariants:
    I1. `reclaim(*claim(available, wanted), offered)` restores `available`, up to order.
    I2. Nothing is claimed partly: a claim that fails takes nothing and assigns nothing.

Source: swarmkit api/genericresource (Claim, Reclaim, HasEnough, HasResource, sanitize).
Not here: who reserves and when (`manager/scheduler/nodeinfo.py`).
"""

from __future__ import annotations

from simswarm.base.values import replace
from simswarm.model.specs import GenericResource, Resources, TaskSpec

Generics = tuple[GenericResource, ...]


def is_named(resource: GenericResource) -> bool:
    """Whether it is one named piece rather than a count."""
    return resource.value != ""


def reserves_nothing(spec: TaskSpec) -> bool:
    """Whether a task of this spec fits anywhere as far as resources go."""
    wanted = spec.reservations
    return not (wanted.nano_cpus or wanted.memory_bytes or wanted.generic)


def fits(wanted: Resources, nano_cpus: int, memory_bytes: int, generic: Generics) -> bool:
    """Whether a reservation is no more than what is left."""
    if wanted.nano_cpus > nano_cpus or wanted.memory_bytes > memory_bytes:
        return False
    return all(has_enough(generic, resource) for resource in wanted.generic)


def has_enough(available: Generics, wanted: GenericResource) -> bool:
    """Whether a reservation's count is available. The first piece of a kind tells its type."""
    if is_named(wanted):
        return False
    pieces = _of_kind(available, wanted.kind)
    if not pieces:
        return False
    if is_named(pieces[0]):
        return wanted.count <= len(pieces)
    return wanted.count <= pieces[0].count


def has_resource(held: GenericResource, resources: Generics) -> bool:
    """Whether resources contain what a task holds: that name, or a count of no more than it."""
    for offered in _of_kind(resources, held.kind):
        if not is_named(offered):
            return not is_named(held) and held.count >= offered.count
        if not is_named(held):
            return False
        if held.value == offered.value:
            return True
    return False


def claim(available: Generics, wanted: Generics) -> tuple[Generics, Generics]:
    """Take a task's reservations: (what is left, what the task got); nothing if one is missing."""
    taken: list[GenericResource] = []
    for reservation in wanted:
        selected = None if is_named(reservation) else _select(available, reservation)
        if selected is None:
            return available, ()
        taken += selected
    return consume(available, tuple(taken)), tuple(taken)


def consume(available: Generics, taken: Generics) -> Generics:
    """What is left when the pieces of a task are gone. A change of a kind's type is ignored."""
    left: list[GenericResource] = []
    for resource in available:
        remainder: GenericResource | None = resource
        for piece in taken:
            if piece.kind == resource.kind and remainder is not None:
                remainder = _without(remainder, piece)
        if remainder is not None:
            left.append(remainder)
    return tuple(left)


def reclaim(available: Generics, returned: Generics, offered: Generics) -> Generics:
    """What is available when a task gives its pieces back, never more than the node offers."""
    pool = list(available)
    for piece in returned:
        if is_named(piece):
            pool.append(piece)
        else:
            _give_back(pool, piece)
    return _sane(pool, offered)


def _of_kind(resources: Generics, kind: str) -> list[GenericResource]:
    return [resource for resource in resources if resource.kind == kind]


def _select(available: Generics, wanted: GenericResource) -> list[GenericResource] | None:
    """The pieces that satisfy a count; None where the kind is missing."""
    selected: list[GenericResource] = []
    for resource in _of_kind(available, wanted.kind):
        if not is_named(resource):
            if resource.count >= wanted.count and wanted.count != 0:
                selected.append(GenericResource(wanted.kind, wanted.count))
            return selected
        selected.append(resource)
        if len(selected) == wanted.count:
            return selected
    return selected or None


def _without(resource: GenericResource, piece: GenericResource) -> GenericResource | None:
    if is_named(piece) != is_named(resource):
        return resource
    if is_named(piece):
        return None if piece.value == resource.value else resource
    left = resource.count - piece.count
    return replace(resource, count=left) if left > 0 else None


def _give_back(pool: list[GenericResource], piece: GenericResource) -> None:
    """Add a count to the pool; a count that went down to 0 is no longer in it."""
    places = [number for number, resource in enumerate(pool) if resource.kind == piece.kind]
    if not places:
        pool.append(piece)
    elif len(places) == 1 and not is_named(pool[places[0]]):
        resource = pool[places[0]]
        pool[places[0]] = replace(resource, count=resource.count + piece.count)


def _sane(pool: list[GenericResource], offered: Generics) -> Generics:
    """Drop what the node does not offer (any more); a kind that changed starts afresh."""
    kept: list[GenericResource] = []
    afresh: list[GenericResource] = []
    reset: dict[str, None] = {}
    for resource in pool:
        sane, instead = _sane_one(resource, offered)
        if sane:
            kept.append(resource)
        elif resource.kind not in reset:
            reset[resource.kind] = None
            afresh += instead
    return (*kept, *afresh)


def _sane_one(resource: GenericResource, offered: Generics) -> tuple[bool, list[GenericResource]]:
    of_kind = _of_kind(offered, resource.kind)
    if not is_named(resource):
        if len(of_kind) != 1 or is_named(of_kind[0]) or resource.count > of_kind[0].count:
            return False, of_kind
        return True, []
    if not of_kind:
        return False, of_kind
    for other in of_kind:
        if not is_named(other):
            return False, of_kind
        if other.value == resource.value:
            return True, []
    return False, []
