"""Addresses: what a user writes for a file, folder or object, and what the program makes of it.

An address is a path of this machine, with or without `file://`, or `scheme://…` of a store. What a
user writes goes through `address` once, where it comes in; from there on an address is taken as it
is: no `~`, `#`, `%`, `?`, `::`, `[`, `{` or `$` in a name has a meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_CHAIN = re.compile(r"(?:[a-z][a-z0-9+.-]*::)+[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_NAMED_USERS = frozenset({"abfs", "abfss", "adl", "wasb", "wasbs", "sftp", "ssh", "ftp", "hdfs"})
"""Schemes whose addresses hold a name before the `@` that is no secret."""
_SECRET_QUERY = re.compile(
    r"[?&;#](?:x-(?:amz|goog|oss|cos|ms)-[\w-]*|awsaccesskeyid|googleaccessid|\w*signature|sig|"
    r"(?:\w*[_-])?(?:token|api[_-]?key|key|password|passwd|pwd|passphrase|secret|credentials?|auth|"
    r"authorization|bearer|jwt|hmac|hdnea|hdnts)|\w*session(?:_?id)?)=",
    re.IGNORECASE,
)
_PORT = re.compile(r"[1-9]\d{0,4}")
_SERVED = frozenset(
    {"http", "https", "tcp", "tls", "ws", "wss", "sftp", "ssh", "ftp", "ftps", "hdfs"}
)
"""Schemes whose addresses may hold a port; buckets have none."""
_HOST = re.compile(r"localhost|host|[\w-]+(?:\.[\w-]+)+")
"""A machine with a port: of one word it might be a user with a password."""


def address(text: str) -> str:
    """The address a user means: `~` is the home folder; credentials are refused.

    Raises:
        ValueError: there is no such home folder, or the address holds a secret; it is not repeated.
    """
    if holds_secret(text):
        raise ValueError(
            "an address holds a password, token or signature; leave it out and set the store's "
            "environment, such as AWS_ACCESS_KEY_ID"
        )
    if not text.startswith("~"):
        return text
    try:
        return str(Path(text).expanduser())
    except RuntimeError:
        raise ValueError(f"there is no home folder {text.partition('/')[0]}; write ./~…") from None


def is_remote(url: str) -> bool:
    """Whether the address needs fsspec; plain paths and `file://` do not."""
    return bool(_REMOTE.match(url) or _CHAIN.match(url)) and not url.startswith("file://")


def is_chain(url: str) -> bool:
    """Whether fsspec protocols follow each other, as in `simplecache::s3://…`."""
    return bool(_CHAIN.match(url))


def local_path(url: str) -> Path:
    """The path of a plain path or `file://` address."""
    return Path(url.removeprefix("file://"))


def join(url: str, *parts: str) -> str:
    """The address of something below `url`."""
    return "/".join([url.rstrip("/"), *(part.strip("/") for part in parts)])


def absolute(url: str) -> str:
    """The address with a local path made absolute, so that it means the same to every process."""
    return url if is_remote(url) else str(local_path(url).absolute())


def holds_secret(text: str) -> bool:
    """Whether an address holds a user with password, a token, or a signed query."""
    return any(_secret_spans(text)) or bool(_SECRET_QUERY.search(unquote(_query(text))))


def without_secrets(text: str) -> str:
    """The text with the secrets of the addresses in it left out."""
    for start, end in reversed(list(_secret_spans(text))):
        text = f"{text[:start]}…{text[end:]}"
    found = _SECRET_QUERY.search(unquote(_query(text)))
    return text if found is None else f"{text[: len(text) - len(_query(text))]}?…"


def _query(text: str) -> str:
    """The part of a remote address that may be a signed query; empty where there is none."""
    started = _REMOTE.search(text)
    if started is None:
        return ""
    sign = re.search(r"[?#;]", text[started.end() :])
    return "" if sign is None else text[started.end() + sign.start() :]


def _secret_spans(text: str) -> Iterator[tuple[int, int]]:
    """Where credentials stand before an `@`, a password with slashes and blanks included."""
    for started in _REMOTE.finditer(text):
        rest = text[started.end() :]
        host = re.sub(r"^\[[^\]]*\]", "host", re.split(r"[/?#]", rest, maxsplit=1)[0])
        user, colon, port = host.partition(":")
        at = rest.find("@")
        if at >= 0:  # a user may be a mail address: the last one before the host counts
            at += 1 + re.split(r"[/?#\s]", rest[at + 1 :], maxsplit=1)[0].rfind("@")
        named = "@" in host and "://" not in rest[:at]
        scheme = started.group()[:-3].lower()
        served = scheme in _SERVED and _PORT.fullmatch(port) and _HOST.fullmatch(user)
        open_password = bool(colon) and not served and at >= 0
        if open_password or (named and (":" in user or scheme not in _NAMED_USERS)):
            yield started.end(), started.end() + at
