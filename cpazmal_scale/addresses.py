"""Addresses: what a user writes for a file, folder or object, and what the program makes of it.

An address is a path of this machine, with or without `file://`, or `scheme://…` of a store. What a
user writes goes through `address` once, where it comes in; from there on an address is taken as it
is: no `~`, `#`, `%`, `?`, `::`, `[`, `{` or `$` in a name has a meaning.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_CHAIN = re.compile(r"(?:[a-z][a-z0-9+.-]*::)+[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_NAMED_USERS = frozenset(
    {
        *("abfs", "abfss", "adl", "az", "dav", "davs", "ftp", "ftps", "hdfs", "oci", "root"),
        *("sftp", "smb", "ssh", "wasb", "wasbs", "webdav", "webhdfs"),
    }
)
"""Schemes whose addresses hold a name before the `@` that is no secret."""
_OPENS = re.compile(
    r"[a-z][a-z0-9+.-]{0,40}://+|\b(?:https?|ftps?|sftp|ssh|s3[an]?|gc?s|az|abfss?|adl|wasbs?|hdfs|oss|"
    r"davs?|smb|git|tcp|tls|wss?):(?:[/\\]+|(?=[^/\\@\s]+:[^@\s]+@))|"
    r"(?<!\S)//(?=[^/\s:@]+:[^@\s]+@)|(?<!\S)/vsi(?:s3|gs|az|adls|oss|swift)(?:_streaming)?/+|"
    r"(?<!\S)/vsi\w+|"
    r"(?<!\S)(?=[^/\\\s:@]+:[^/\\\s@]+@(?:[\w-]+\.[\w.-]*\w|[\w-]+:\d))",
    re.IGNORECASE,
)
"""Where the part of an address begins that may hold a user: people forget slashes and schemes."""
_PAIR = re.compile(r"(?<=[?&;#])([^\s=?&;#/]+)=([^\s&;#]+)")
_ASSIGNED = re.compile(
    r"(?:^|(?<=[\s,;:\"'=]))([A-Z]\w*|(?<![;])(?i:\w*(?:passw|secret|token)\w*|(?<=,)pass))="
    r"[\"']?([^\s;,\"'$/~.`][^\s;,]*)"
)
"""A variable of a shell or a part of a connection string with a value that is no path."""
_FLAG = re.compile(
    r"(?:(?<!\S)--?[\w-]*(?:passw|passphrase|secret|token|bearer|(?:api|access|account)-?key)"
    r"(?![\w-]*(?:file|path|stdin))[\w-]*(?:=|\s+)|"
    r"\bset(?:env)?\s+\w*(?:SECRET|TOKEN|PASSW|ACCESS_KEY|API_KEY)\w*\s+|"
    r"\blogin\s+\S+\s+password\s+|(?:^|\s)curl\s(?:.*\s)?(?:-[a-zA-Z]*u|--user)[=\s]*[^\s:/]+:(?=\S)|"
    r"\b(?:sshpass|(?:docker|podman|helm|az|oc)\s+(?:registry\s+)?login)\s(?:[^|;&]*\s)?-p\s*|"
    r"\b(?:mysql\w*|7z\w?|rar|unrar)\s(?:[^|;&]*\s)?-h?p(?=\S)|"
    r"\b(?:smb\w+|rpcclient|net)\s(?:[^|;&]*\s)?(?:-U|--user(?:name)?)[=\s]*[\"']?[^\s%\"']+%(?=\S)|"
    r"\b(?:lftp|ncftp\w*)\s(?:[^|;&]*\s)?(?:-u|--user)[=\s]*[\"']?[^\s,\"']+,(?=\S)|"
    r"\b(?:https?|xh)\s(?:[^|;&]*\s)?(?:-a|--auth)[=\s]*[\"']?[^\s:\"']+:(?=\S)|"
    r"\bopenssl\s(?:[^|;&]*\s)?(?:(?-i:-k|-K)\s+|-pass(?:in|out)?\s+pass:)|"
    r"\b(?:(?:un)?zip|zipcloak|sqlcmd|bcp)\s(?:[^|;&]*\s)?(?-i:-[a-z]*P)\s*|"
    r"(?:\s-o|\s--?c\w*)\s+\w*(?:secret|token|passw|access_key|api_key)\w*\s+|"
    r"\bsqlplus\s+[^\s/]+/(?=\S)|\bnet\s+use\s+(?:\S+\s+)?\S+\s+(?=[^\s/*]+\s+/user:)|"
    r"\b(?:sudo|kinit|keyring|passwd|cryptsetup|gpg|openssl|docker|podman)\s[^|;&]*<<<\s*|"
    r"\b(?:redis-cli|skopeo)\s(?:[^|;&]*\s)?(?-i:-a)\s+|"
    r"\bldap\w+\s(?:[^|;&]*\s)?(?-i:-w)\s*|"
    r"\b(?:mongo\w*|ncftp\w*|influx)\s(?:[^|;&]*\s)?(?-i:-p)\s+|"
    r"\b(?:prefect|wandb|vault|hf|huggingface-cli)\s(?:cloud\s+|auth\s+)?login\s+(?:-k\s+|--key[=\s]+)?"
    r"(?=[\w.]{16})|"
    r"\bmc\s+(?:alias|config\s+host)\s+(?:set|add|s)\s+\S+\s+\S+\s+\S+\s+|"
    r"\bhtpasswd\s+-\w*b\w*\s+\S+\s+\S+\s+|"
    r"\becho\s+(?:-n\s+)?(?=[^|;&]*\|\s*(?:sudo\s+-\w*S|kinit|\S+(?:\s+[^|;&]*)?--password-stdin|"
    r"(?:ch)?passwd|cryptsetup|gpg|openssl))(?:\w+:)?)"
    r"[\"']?([^\s\"'$/~.`…-][^\s\"']*)",
    re.IGNORECASE,
)
"""What a flag, a C shell or a `netrc` gives a name, and where well-known tools take passwords."""
_PRIVATE = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----([^…-]+)")
_SECRET_NAME = re.compile(
    r"pass(?:w|ph|code|key)|pwd|kennwort|mot_?de_?passe|contrase|secret|token|credential|"
    r"signature|^x_(?:amz|goog|oss|cos|ms)_|(?:^|_)(?:(?:user|db|ssh)?pass|p(?:ass)?wd?|pswd?|mdp|pin|"
    r"t?otp|keys?|key_?id|sig|h?mac|creds?|o?auth|authorization|"
    r"bearer|jwt|sas|hdnea|hdnts|rlkey|pat|sid|(?:php|j)?sess(?:ion)?_?id|ticket)(?:_?\d+)?(?:_|$)|(?:api|access|account|auth|client|private|"
    r"session|shared|storage|master|resource)_?key|session_?id|google_?access_?id"
)
"""What names of secrets hold, in small letters with `_` between their parts."""
_FLIGHT = re.compile(r"a|d|(?:asc|des|dsc)\w*|\d+", re.IGNORECASE)
"""What `pass` may say of an orbit."""
_TOKEN = re.compile(
    r"\b(?:gh[opsur]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|hf_[A-Za-z0-9]{24,}|"
    r"sk-[\w-]{20,}|AIza[\w-]{30,}|ya29\.[\w-]{20,}|npm_\w{30,}|[ps]k\.ey[\w-]{10,}\.[\w-]+|"
    r"xox[abprs]-[\w-]{16,}|(?:AKIA|ASIA)[A-Z0-9]{16}(?::[^\s@]+|[/,;|\s]+[\w/+]{40}\b)|ey[\w-]{10,}\.ey[\w-]{10,}\.[\w-]*|bearer\s+[\w.~+/=-]{16,})",
    re.IGNORECASE,
)
"""Tokens that are known by how they begin."""
_HEADER = re.compile(
    r"\b(?:(?:proxy-)?authorization|(?:x|ocp)-[\w-]*(?:key|token|secret)|private-token|cookie)"
    r"[\"']?\s*[:=]\s*[\"']?([^\"'…]+)",
    re.IGNORECASE,
)
"""Headers of requests that hold a secret."""
_WEB = re.compile(r"\b(?:https?|(?:web)?davs?):[/\\]+[^/\\\s\"'<>]+([^\s\"'<>]*)", re.IGNORECASE)
"""Addresses of which a part alone may open the rest."""
_PART = re.compile(r"(?<=[/#=~])[^/?#&;=~.\\]+")
_SHARING = frozenset(
    {"s", "p", "d", "dl", "fi", "download", "downloads", "share", "shares", "shared", "static"}
    | {"public-files", "wms", "wmts", "wcs", "wfs"}
)
"""Words before the part of a web address that is known to those only with whom it is shared."""
_MAY_OPEN = frozenset({"code", "t", "k", "p", "h", "hash", "login", "nonce", "verify", "share"})
"""Names whose values are secrets where they look random, and numbers, dates or words elsewhere."""
_SHORTEST = 10
_LONG = 15
"""Signs of a part that looks random, behind such a word and anywhere."""
_MIXED = 0.35
"""Changes between small letters, capitals and digits over signs from which a part looks random: in
random ones of 16, 36 or 62 signs 0.47, 0.40 and 0.62 are expected."""
_NAMED = re.compile(
    r"\\?[\"']([\w.-]+)\\?[\"']\s*:\s*(?:\\?[\"']([^\"'\\…]+)|(\d+))|"
    r"(?<![\w-])((?i:\w*(?:access|account|secret|api|private)_?key|\w*(?:access|session|auth)_token|\w+_secret|"
    r"\w*password|\w*passwd))(?:\s+=\s*|=\s+|:\s+)[\"']?([^\s;,\"'$/~.`…][^\s;,\"']*)"
)
"""What a Python or JSON text, or a file of settings, gives a name."""
_SHARED_SIGNATURE = re.compile(
    r"(?:\bSharedAccessSignature[\s=]+|(?<=&)sig=)([^\s\"'…]+)", re.IGNORECASE
)
"""What opens a store of Azure, outside an address."""
FORBIDDEN_TEXT = (
    r"(?i:(?:[a-z0-9+.-]{2}://+|\bhttps?:[/\\]+)[^/?#@:\s\[\\]*:(?![0-9]{1,5}(?:[/?#]|$))[^@]*@"
    r"|(?:\b[a-z0-9]{2}|(?!tcp|tls)[a-z0-9]{3})://(?!localhost:)[^/?#@:.\s\[]+:[0-9]+/[^@]*@"
    r"|\b(?:https?|s3|gs)://[^/?#@:\s]+@"
    r"|^[^/:@\s\\?#\[]+:[^/@\s\\?#\[\]]+@[\w-]+(?:\.[\w.-]*\w|:[0-9])"
    r"|(?:[a-z0-9]://|\bhttps?:/).*[?&;#](?:[^\s=?&;#/]*(?:passw|passcode|pwd|secret|token|"
    r"credential|signature|api-?key|access-?key|session_?id)[^\s=?&;#/]*|"
    r"key|sig|auth|authorization|jwt|hdnea|pat|sid|(?:php|j)?sess_?id|ticket)=[^\s&;#…]"
    r"|\bhttps?%3A%2F%2F[^%\s]*%3A[^%\s]*%40"
    r"|\b(?:akia|asia)[a-z0-9]{16}:[^\s@]|-----begin [a-z ]*private key-----[^…-]"
    r"|(?:^|[\s,=])\w*(?:passw|secret|token)\w*=[\"']?[^\s;,\"'$/~.`]"
    r"|(?:^|\s)--?[\w-]*(?:passw|secret|token)(?![\w-]*(?:file|path|stdin))[\w-]*(?:=|\s+)"
    r"[\"']?[^\s\"'$/~.`…-]"
    r"|\bsetenv\s+\w*(?:secret|token|passw|access_key|api_key)\w*\s+[\"']?[^\s\"'$/~.`…-]"
    r"|\blogin\s+\S+\s+password\s+[^\s…]"
    r"|(?:^|\s)curl\s(?:.*\s)?(?:-u|--user)[=\s]+[^\s:/]+:[^\s\"'$/~.`…-]"
    r"|\b(?:sshpass|(?:docker|podman|helm|az|oc)\s+(?:registry\s+)?login)\s(?:[^|;&]*\s)?-p\s*"
    r"[\"']?[^\s\"'$/~.`…-]"
    r"|\bgh[opsur]_\w{16,}|\bgithub_pat_\w{16,}|\bglpat-[\w-]{16,}"
    r"|\b(?:authorization|x-api-key|x-auth-token|cookie)[\"']?\s*[:=]\s*[\"']?[^\"'…\s])"
    r"|(?:^|[\s,;])(?:[A-Z]\w*)?(?:SECRET|TOKEN|PASSWORD|ACCESS_KEY|AccountKey)\w*="
    r"[\"']?[^\s;,\"'$/~.`]"
)
"""What a JSON schema can say of secrets: less than `holds_secret`, and nothing besides."""
_LONGEST = 255
"""Bytes of a name that file systems take."""
_PORT = re.compile(r"[1-9]\d{0,4}")
_SERVED = frozenset(
    {"http", "https", "tcp", "tls", "ws", "wss", "sftp", "ssh", "ftp", "ftps", "hdfs"}
)
"""Schemes whose addresses may hold a port; buckets have none."""
BUCKETS = frozenset({"s3", "s3a", "gs", "gcs", "az", "abfs", "abfss", "oss"})
"""Schemes whose addresses begin with a bucket or container."""
_S3 = re.compile(r"s3a?://", re.IGNORECASE)
_SLASH_LOST = re.compile(
    r"(?:[a-z][a-z0-9+.-]*::)*(?:[a-z][a-z0-9+.-]+:/(?!/)|"
    rf"(?:{'|'.join(sorted(BUCKETS | _SERVED | {'file'}))}):(?!//|:))",
    re.IGNORECASE,
)
"""A scheme without its two slashes: a folder of this machine would be meant."""
_HOST = re.compile(r"localhost|host|[\w-]+(?:\.[\w-]+)+")
"""A machine with a port: of one word it might be a user with a password."""
_NO_USERS = frozenset({"tcp", "tls"})
"""Schemes whose addresses hold no user: one word is a machine."""


def address(text: str) -> str:
    """The address a user means: `~` is the home folder; credentials are refused.

    Raises:
        ValueError: there is no such home folder, no file can have this name, or the address holds a
            secret; it is not repeated.
    """
    if holds_secret(text):
        raise ValueError(
            "an address holds a password, token or signature; leave it out and set the store's "
            "environment, such as AWS_ACCESS_KEY_ID, or copy what a shared link leads to"
        )
    if _SLASH_LOST.match(text):
        raise ValueError(
            "two slashes follow the scheme of an address, as in s3://bucket; write ./ before a "
            "folder of such a name"
        )
    if _names_nothing(text):
        raise ValueError("the address ends where a bucket or host should stand; write it whole")
    if not is_remote(text) and not _is_name(text):
        raise ValueError(
            "no file has such a name: a part of more than 255 bytes, or a sign of none"
        )
    if not text.startswith("~"):
        return small_scheme(text)
    try:
        return str(Path(text).expanduser())
    except RuntimeError:
        raise ValueError(f"there is no home folder {text.partition('/')[0]}; write ./~…") from None


def _names_nothing(text: str) -> bool:
    """Whether an address has a scheme and nothing behind it, or no bucket where one is needed."""
    last = text.rpartition("::")[2] if is_chain(text) else text
    scheme, _, rest = last.partition("://")
    if not is_remote(text) or scheme.lower() in ("memory", "file"):
        return False
    return not rest.strip("/") or (scheme.lower() in BUCKETS and rest.startswith("/"))


def _is_name(text: str) -> bool:
    """Whether a path may be one of this machine's."""
    try:
        parts = os.fsencode(text).split(b"/")
    except UnicodeEncodeError:
        return False
    return "\0" not in text and max(map(len, parts)) <= _LONGEST


def is_remote(url: str) -> bool:
    """Whether the address needs fsspec; plain paths and `file://` do not."""
    return bool(_REMOTE.match(url) or _CHAIN.match(url)) and url[:7].lower() != "file://"


def is_s3(url: str) -> bool:
    """Whether the address is one of S3, whichever scheme says so."""
    return bool(_S3.match(url))


def small_scheme(url: str) -> str:
    """The address with its scheme in small letters, as fsspec knows it."""
    found = _CHAIN.match(url) or _REMOTE.match(url)
    return url if found is None else found.group().lower() + url[found.end() :]


def is_chain(url: str) -> bool:
    """Whether fsspec protocols follow each other, as in `simplecache::s3://…`."""
    return bool(_CHAIN.match(url))


def local_path(url: str) -> Path:
    """The path of a plain path or `file://` address."""
    return Path(small_scheme(url).removeprefix("file://"))


def join(url: str, *parts: str) -> str:
    """The address of something below `url`."""
    return "/".join([url.rstrip("/"), *(part.strip("/") for part in parts)])


def absolute(url: str) -> str:
    """The address with a local path made absolute, so that it means the same to every process."""
    return url if is_remote(url) else str(local_path(url).absolute())


def holds_secret(text: str) -> bool:
    """Whether a text holds credentials: a user with password, a token, a signed query, a header."""
    return any(any(_secrets(form)) for form in (text, *_decoded(text)))


def without_secrets(text: str) -> str:
    """The text with the credentials in it left out."""
    for start, end in sorted(_secrets(text), reverse=True):
        text = f"{text[:start]}…{text[end:]}"
    return text if not holds_secret(text) else f"{text[: _opening(text)]}…"


def _decoded(text: str) -> Iterator[str]:
    """What a text with `%3A` and the like means."""
    for _ in range(2):
        before, text = text, unquote(text)
        if text != before and _OPENS.search(text):
            yield text


def _opening(text: str) -> int:
    """Where the first address in a text begins; 0: nowhere."""
    found = _OPENS.search(text)
    return found.end() if found else 0


def _secrets(text: str) -> Iterator[tuple[int, int]]:
    """Where credentials stand; no two overlap."""
    last = 0
    found = [*_users(text), *(one.span() for one in _TOKEN.finditer(text))]
    for form in (_HEADER, _FLAG, _PRIVATE, _SHARED_SIGNATURE):
        found += [one.span(1) for one in form.finditer(text)]
    if _OPENS.search(text):
        pairs = (one for one in _PAIR.finditer(text, _opening(text)) if _is_secret(*one.groups()))
        found += [one.span(2) for one in pairs]
    found += [one.span(2) for one in _ASSIGNED.finditer(text) if _is_secret(*one.groups())]
    found += _shared(text)
    for one in _NAMED.finditer(text):
        place = one.lastindex or 0
        if place == 5 or _is_secret(one[1], one[place]):
            found.append(one.span(place))
    for start, end in sorted(found):
        if end > last:
            yield max(start, last), end
            last = end


def _shared(text: str) -> Iterator[tuple[int, int]]:
    """Where web addresses hold parts that open what they lead to."""
    for web in _WEB.finditer(text):
        before = ""
        for part in _PART.finditer(text, *web.span(1)):
            word, before = before, part.group()
            signs, kinds = _signs(before)
            name = text[part.end() : part.end() + 1] == "." and word.lower() != "static"
            random = not name and _is_random(before)
            sharing = word.lower() in _SHARING and len(signs) >= _SHORTEST
            anywhere = len(signs) >= _LONG and len(set(kinds)) == 3
            named = _is_secret(word, before) and re.search(r"\d", before) and not _is_number(before)
            if (random and (sharing or anywhere)) or named:
                yield part.span()


def _signs(text: str) -> tuple[str, list[int]]:
    """Letters and digits of a text, and which of small letters, capitals and digits each is."""
    signs = re.sub(r"[^A-Za-z0-9]", "", text)
    return signs, [sign.isdigit() + 2 * sign.isupper() for sign in signs]


def _is_random(text: str) -> bool:
    """Whether the signs of a text change as those of a random one."""
    signs, kinds = _signs(text)
    return sum(one != two for one, two in pairwise(kinds)) >= _MIXED * (len(signs) - 1)


def _is_number(text: str) -> bool:
    """Whether a part of an address is a number or a date, as folders are called."""
    return bool(re.fullmatch(r"[\d-]{1,10}", text))


def _is_secret(name: str, value: str) -> bool:
    """Whether a name and value of a query are those of a secret."""
    parts = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|\W+", "_", name).lower()
    if parts == "pass" and _FLIGHT.fullmatch(value):
        return False
    if parts in _MAY_OPEN and len(_signs(value)[0]) >= _SHORTEST and _is_random(value):
        return True
    return bool(value != "…" and _SECRET_NAME.search(parts))


def _users(text: str) -> Iterator[tuple[int, int]]:
    """Where credentials stand before an `@`, a password with slashes and blanks included."""
    for started in _OPENS.finditer(text):
        rest = text[started.end() :]
        host = re.sub(r"^\[[^\]]*\]", "host", re.split(r"[/?#]", rest, maxsplit=1)[0])
        user, colon, port = host.partition(":")
        at = rest.find("@")
        if at >= 0:  # a user may be a mail address: the last one before the host counts
            at += 1 + re.split(r"[/?#\s]", rest[at + 1 :], maxsplit=1)[0].rfind("@")
        named = "@" in host and "://" not in rest[:at]
        scheme = started.group().partition(":")[0].lower()
        machine = user.rpartition("@")[2] if scheme in _NAMED_USERS else user
        is_machine = _HOST.fullmatch(machine) or scheme in _NO_USERS
        served = scheme in _SERVED and _PORT.fullmatch(port) and is_machine
        open_password = bool(colon) and not served and at >= 0
        if open_password or (named and (":" in user or scheme not in _NAMED_USERS)):
            yield started.end(), started.end() + at
