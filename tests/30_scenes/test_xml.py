"""The one reader of XML refuses whatever it cannot trust, quickly."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from support.hostile_xml import HOSTILE

from cpazmal_scale.errors import SceneUnreadable, StoreMissing
from cpazmal_scale.scenes.untrusted import xml


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_documents_are_refused_in_seconds(name: str) -> None:
    begun = time.process_time()
    with pytest.raises(SceneUnreadable) as refused:
        xml.parse(HOSTILE[name], where="annotation.xml")
    assert time.process_time() - begun < 5
    assert "annotation.xml" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_what_is_read() -> None:
    node = xml.parse(
        b'<?xml version="1.0" encoding="UTF-8"?><p a="x"><n> 1.5E-3 </n><i>7</i><f>true</f>'
        b"<t>2023-10-05T01:44:50.243694Z</t><v><w>1</w></v><v><w>2</w></v><nan>NaN</nan></p>",
        where="p.xml",
    )
    assert (node.tag, node.attribute("a"), node.attribute("b")) == ("p", "x", None)
    assert node.number("n") == 1.5e-3
    assert node.integer("i") == 7
    assert node.flag("f")
    assert not node.flag("g", default=False)
    assert node.time("t") == datetime(2023, 10, 5, 1, 44, 50, 243694, UTC)
    assert [v.integer("w") for v in node.all("v")] == [1, 2]
    assert node.maybe("x") is None
    assert node.text("x", "none") == "none"
    for ask in (
        lambda: node.one("x"),
        lambda: node.number("nan"),
        lambda: node.number("f"),
        lambda: node.integer("n"),
        lambda: node.integer("i", most=6),
        lambda: node.flag("i"),
        lambda: node.time("i"),
    ):
        with pytest.raises(SceneUnreadable, match=r"p\.xml"):
            ask()


def test_leap_seconds_are_the_next_second() -> None:
    for text in ("2008-03-10T13:32:20+00:00", "2008-03-10T13:32:20Z"):
        assert xml.parse_utc(text, where="x") == datetime(2008, 3, 10, 13, 32, 20, 0, UTC)
    leap = xml.parse_utc("2016-12-31T23:59:60.500000Z", where="x")
    assert leap == datetime(2017, 1, 1, 0, 0, 0, 500_000, UTC)
    assert xml.parse_utc("2008-03-10T13:32:20", where="x") == datetime(
        2008, 3, 10, 13, 32, 20, 0, UTC
    )
    for bad in ("2016-13-01T00:00:00Z", "2016-12-31T22:59:60Z", "yesterday", "", "2016-02-30"):
        with pytest.raises(SceneUnreadable):
            xml.parse_utc(bad, where="x")


def test_a_file_is_read_up_to_the_bound(tmp_path: Path) -> None:
    small, large = tmp_path / "small.xml", tmp_path / "large.xml"
    small.write_bytes(b"<a>1</a>")
    with large.open("wb") as file:  # sparse: 1 TiB that takes no room
        file.write(b"<a>")
        file.truncate(2**40)
    assert xml.read(str(small)).integer() == 1
    with pytest.raises(SceneUnreadable, match="MiB"):
        xml.read(str(large))
    with pytest.raises(StoreMissing):
        xml.read(str(tmp_path / "none.xml"))


def test_entities_of_xml_itself_and_comments_are_read() -> None:
    node = xml.parse(b"<a><!-- no --><b>x &amp; y &lt; &#65;</b><![CDATA[z]]></a>", where="x")
    assert node.text("b") == "x & y < A"
