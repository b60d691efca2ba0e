"""Whether a text names an image, by the grammar of image references.

    reference = name [":" tag] ["@" digest]        name = [domain "/"] component *("/" component)

Source: the reference grammar that distribution documents (reference/reference.go); normalisation
of short names (reference/normalize.go): a first component without `.`, `:` and other than
`localhost` is no domain.
"""

from __future__ import annotations

import re

NAME_LENGTH_LIMIT = 255

_DOMAIN_PART = r"(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
_DOMAIN = rf"{_DOMAIN_PART}(?:\.{_DOMAIN_PART})*(?::[0-9]+)?"
_COMPONENT = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_NAME = rf"(?:{_DOMAIN}/)?{_COMPONENT}(?:/{_COMPONENT})*"
_TAG = r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
_DIGEST = r"[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}"
_REFERENCE = re.compile(rf"({_NAME})(?::{_TAG})?(?:@({_DIGEST}))?")
_BARE_ID = re.compile(r"[a-f0-9]{64}")
_DIGEST_LENGTHS = {"sha256": 64, "sha384": 96, "sha512": 128}
_DEFAULT_DOMAIN = "docker.io"


def is_image_name(text: str) -> bool:
    """Whether an image can be called so."""
    if _BARE_ID.fullmatch(text):
        return False  # it could be taken for an image's id
    parsed = _REFERENCE.fullmatch(_normalized(text))
    if parsed is None:
        return False
    name, digest = parsed[1], parsed[2]
    if digest is not None:
        algorithm, _, value = digest.partition(":")
        if len(value) != _DIGEST_LENGTHS.get(algorithm) or value != value.lower():
            return False
    return len(name) <= NAME_LENGTH_LIMIT


def _normalized(text: str) -> str:
    """The text with the domain that it leaves out, or as it is where it names one."""
    first, slash, _ = text.partition("/")
    if not slash:
        return f"{_DEFAULT_DOMAIN}/library/{text}"
    if "." in first or ":" in first or first == "localhost":
        return text
    return f"{_DEFAULT_DOMAIN}/{text}"
