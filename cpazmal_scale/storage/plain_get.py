"""Objects of S3 read by one signed GET each, for which s3fs needs four times the processor time.

s3fs lends its address of a bucket, its credentials and its settings; whatever is not answered with
the object or its absence is asked again by s3fs, which retries, follows and tells what is wrong.
"""

from __future__ import annotations

import http.client
import os
import ssl
import threading
import time
import urllib.request
import weakref
from collections import deque
from typing import Any
from urllib.parse import quote, urlsplit

from cpazmal_scale.storage.reach import filesystem_of

_FRESH = 60.0
"""Seconds after which credentials are asked for again: those of a role end."""
_SIGNATURES = ("s3v4", "v4", None)
_OK, _ABSENT, _BUSY = 200, 404, 429
_NO_BUCKET = b"NoSuchBucket"


def get(url: str) -> bytes | None:
    """The bytes of an object of S3, or None where s3fs must be asked.

    Raises:
        FileNotFoundError: there is no such object.
    """
    filesystem, path = filesystem_of(url)
    if not hasattr(filesystem, "get_s3"):  # a chain of file systems, or one of another kind
        return None
    bucket, key, version = filesystem.split_path(path)
    if version or not key:
        return None
    from botocore.exceptions import BotoCoreError

    try:
        status, data = _bucket(filesystem, bucket).answer(key)
    except (BotoCoreError, OSError, ValueError):
        # Settings or credentials, of which s3fs tells what is wrong; an error here may hold them.
        return None
    if status == _ABSENT and _NO_BUCKET not in data:
        raise FileNotFoundError(f"{bucket}/{key}")
    return data if status == _OK else None


class _Bucket:
    """A bucket as a file system of s3fs reaches it; `closed` where it is not by plain requests."""

    def __init__(self, filesystem: Any, name: str) -> None:
        self.filesystem, self._name = weakref.ref(filesystem), name  # s3fs closes what nobody holds
        self._idle: deque[http.client.HTTPConnection] = deque()
        self._renewing = threading.Lock()
        self._signer, self._until = None, 0.0
        self._answered = False
        _in_loop(filesystem, filesystem.set_session)
        client = _in_loop(filesystem, filesystem.get_s3, name)
        example = _in_loop(
            filesystem,
            client.generate_presigned_url,
            "get_object",
            Params={"Bucket": name, "Key": "key"},
        )
        parts, config = urlsplit(example), client.meta.config
        self._host, self._folder = parts.netloc, parts.path.removesuffix("key")
        self._address = f"{parts.scheme}://{parts.netloc}"
        self._region = client.meta.region_name or "us-east-1"
        self._timeout = max(config.connect_timeout, config.read_timeout)
        self._context = _trust(filesystem.session) if parts.scheme == "https" else None
        self.closed = (
            filesystem.anon
            or bool(filesystem.req_kw or filesystem.s3_additional_kwargs)
            or bool(filesystem.client_kwargs or filesystem.config_kwargs)
            or config.signature_version not in _SIGNATURES
            or _by_proxy(parts.scheme, parts.netloc)
        )

    def answer(self, key: str) -> tuple[int, bytes]:
        """Status and content of the answer to a GET; 0 without one, and where none is tried.

        Raises:
            BotoCoreError, OSError, ValueError: no request can be signed or written.
        """
        if self.closed:
            return 0, b""
        where = self._folder + quote(key, safe="/~")
        signer = self._signer if time.monotonic() < self._until else self._renewed()
        if signer is None:
            self.closed = True
            return 0, b""
        status, data = self._ask(where, _signed(signer, self._address + where))
        if status in (_OK, _ABSENT):
            self._answered = True
        elif http.client.MULTIPLE_CHOICES <= status < http.client.INTERNAL_SERVER_ERROR:
            # Refused before it ever answered, it is not reached in this way at all.
            self.closed |= status != _BUSY and not self._answered
            self._until = 0.0
        return status, data

    def _ask(self, where: str, fields: dict[str, str]) -> tuple[int, bytes]:
        """Status and content of an answer; 0 without one."""
        while True:
            try:
                connection, used = self._idle.pop(), True
            except IndexError:
                connection, used = self._connection(), False
            try:
                connection.request("GET", where, headers=fields)
                answer = connection.getresponse()
                data = answer.read()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if not used or isinstance(error, TimeoutError):
                    return 0, b""
                continue  # the server had closed it
            self._idle.append(connection)
            return answer.status, data

    def _connection(self) -> http.client.HTTPConnection:
        if self._context is None:
            return http.client.HTTPConnection(self._host, timeout=self._timeout)
        return http.client.HTTPSConnection(self._host, timeout=self._timeout, context=self._context)

    def _renewed(self) -> Any:
        """What signs requests, with the credentials of now; none without credentials."""
        from botocore.auth import S3SigV4Auth
        from botocore.credentials import ReadOnlyCredentials

        with self._renewing:
            if time.monotonic() < self._until:
                return self._signer
            ours: Any = self.filesystem()
            if ours.key and ours.secret:
                frozen = ReadOnlyCredentials(ours.key, ours.secret, ours.token)
            else:
                frozen = _in_loop(ours, _frozen, ours.session)
            self._signer = frozen and S3SigV4Auth(frozen, "s3", self._region)
            self._until = time.monotonic() + _FRESH
            return self._signer


_buckets: dict[str, _Bucket] = {}
_opening = threading.Lock()


def _bucket(filesystem: Any, name: str) -> _Bucket:
    """The bucket of a file system; another one, as in a forked process, opens it anew."""
    known = _buckets.get(name)
    if known is not None and known.filesystem() is filesystem:
        return known
    with _opening:
        known = _buckets.get(name)
        if known is None or known.filesystem() is not filesystem:
            known = _buckets[name] = _Bucket(filesystem, name)
        return known


def _renew_lock() -> None:
    global _opening
    _opening = threading.Lock()


# A thread of the process that forked may have held it.
os.register_at_fork(after_in_child=_renew_lock)


def _trust(session: Any) -> ssl.SSLContext:
    """Whom s3fs trusts: the bundle of its settings, or the one that comes with botocore."""
    from botocore.httpsession import where

    named = session.get_config_variable("ca_bundle") or os.environ.get("REQUESTS_CA_BUNDLE")
    return ssl.create_default_context(cafile=named or where())


async def _frozen(session: Any) -> Any:
    """The credentials of a session as they are now; none if it has none."""
    found = await session.get_credentials()
    return found and await found.get_frozen_credentials()


def _in_loop(filesystem: Any, ask: Any, *args: Any, **named: Any) -> Any:
    """What a coroutine gives, which runs where s3fs runs its own."""
    from fsspec.asyn import sync

    return sync(filesystem.loop, ask, *args, **named)


def _by_proxy(scheme: str, host: str) -> bool:
    """Whether requests to a host, which may name its port, go through a proxy."""
    return scheme in urllib.request.getproxies() and not urllib.request.proxy_bypass(host)


def _signed(signer: Any, address: str) -> dict[str, str]:
    """The fields of a signed GET."""
    from botocore.awsrequest import AWSRequest

    request = AWSRequest(method="GET", url=address)
    signer.add_auth(request)
    return dict(request.headers.items())
