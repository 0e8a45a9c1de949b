"""XML documents that a reader of untrusted bytes refuses."""

from __future__ import annotations

from cpazmal_scale.scenes.untrusted import xml

BOMB = (
    b'<!DOCTYPE a [<!ENTITY a0 "lol">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12))
    + b"]><a>&a11;</a>"
)
OUTSIDE = b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/hostname">]><a>&f;</a>'

HOSTILE = {
    "bomb": BOMB,
    "bomb in UTF-16": BOMB.decode().encode("utf-16"),
    "external entity": OUTSIDE,
    "external type": b'<!DOCTYPE a SYSTEM "http://127.0.0.1/a.dtd"><a/>',
    "parameter entity": b'<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/hostname">%p;]><a/>',
    "bare type": b"<!DOCTYPE a><a/>",
    "undeclared entity": b"<a>&lol;</a>",
    "200 000 deep": b"<a>" * 200_000 + b"</a>" * 200_000,
    "just too deep": b"<a>" * (xml.MAX_DEPTH + 1) + b"</a>" * (xml.MAX_DEPTH + 1),
    "too many": b"<a>" + b"<b/>" * (xml.MAX_ELEMENTS + 1) + b"</a>",
    "too long": b"<a>" + b" " * xml.MAX_BYTES + b"</a>",
    "not closed": b"<a><b></b>",
    "two roots": b"<a/><b/>",
    "zeros": b"<a/>" + bytes(1000),
    "empty": b"",
    "no XML": b"II*\0\x08\0\0\0",
    "strange coding": b'<?xml version="1.0" encoding="nonsense"?><a/>',
    "many attributes": b"<a " + b" ".join(b'a%d="1"' % n for n in range(200_000)) + b"><b></a>",
    "long attribute": b'<a b="' + b"x" * (32 * 2**20) + b'"/>',
    "long name": b"<" + b"a" * (xml.MAX_NAME + 1) + b"/>",
}
