"""Words of four languages, colours apart, and what a user says of classes."""

from __future__ import annotations

import json

import pytest

from cpazmal_scale.config import ClassStyle, RunConfig
from cpazmal_scale.config.legend import as_hex
from cpazmal_scale.errors import ConfigError, SampleError
from cpazmal_scale.legend import (
    answered,
    legend,
    merged,
    parsed,
    plain,
    require_known,
    require_one_spelling,
    spelt_as,
)
from cpazmal_scale.palette import colours
from cpazmal_scale.surfaces import kind_of

WORDS = {
    "ROC": "rock Rocks ROCHE roches rocher Fels felsen roccia ROCCE bedrock paroi",
    "FOR": "forest forêt FORÊTS foret bois Wald wälder Waelder bosco Boschi foresta trees",
    "LAC": "lake lac LACS étang Étangs See Seen lago laghi eau Wasser acqua",
    "CIT": "city cities ville bâtiments Stadt Städte STAEDTE Gebäude città CITTA Straße strassen",
    "PLA": "plain plaine vallée Ebene TAL pianura valle",
    "ABL": "ablation ablazione Ablationsgebiet abl",
    "ACC": "accumulation Akkumulation accumulazione névé Firn",
    "SNO": "snow neige NEIGES Schnee neve",
    "GLA": "glacier Glaciers Gletscher ghiacciaio ghiacciai ice glace Eis",
    "DEB": "debris moraine Moräne éboulis Schutt morena",
    "MEA": "meadow prairie pré prés Wiesen prato prati",
}


@pytest.mark.parametrize(
    ("code", "word"), [(code, word) for code, words in WORDS.items() for word in words.split()]
)
def test_words_of_four_languages(code: str, word: str) -> None:
    assert kind_of(word) == code
    assert colours((word,))[word] == colours((code,))[code]


@pytest.mark.parametrize(
    ("phrase", "code"),
    [
        ("zone d'ablation", "ABL"),
        ("glacier_suspendu", "HAG"),
        ("Glaciers suspendus", "HAG"),
        ("ice-apron", "ICA"),
        ("debris-covered glacier", "DCG"),
        ("rock glacier", "DEB"),
        ("roche nue", "ROC"),
        ("Mer de Glace", "GLA"),
        ("plan d’eau", "LAC"),
        ("non-glacier", None),
        ("hors glacier", None),
        ("C12", None),
        ("plateau", None),
    ],
)
def test_phrases(phrase: str, code: str | None) -> None:
    assert kind_of(phrase) == code


GLOSSARY = {
    "ABL": "ablation zone; ablation area; glacier tongue; bare ice",
    "ACC": "accumulation zone; accumulation area; firn; wet firn; firn field; dry-snow zone; "
    "percolation zone; wet-snow zone; superimposed ice",
    "SNO": "snow; snowpack; wet snow; dry snow; seasonal snow; snow patch; snow field; snow cover; "
    "avalanche snow; snow on ice; snow-covered area; off-glacier snow; neige sur glace; nasser "
    "Schnee; champ de neige; campo di neve",
    "GLA": "glacier ice; valley glacier; cirque glacier; mountain glacier; piedmont glacier; "
    "outlet glacier; tidewater glacier; flat glacier; cliff glacier; forest glacier; ice cap; "
    "ice sheet; ice field; icefield; ice stream; ice shelf; ice cliff; ice tongue; "
    "snow-covered ice; snow-covered glacier; debris-free ice; glacier without debris; "
    "front of the glacier; glacier de vallée; ghiacciaio di valle; Talgletscher",
    "DCG": "debris-covered glacier; debris-covered ice; debris-mantled glacier",
    "SER": "serac; icefall; crevasse field",
    "HAG": "hanging glacier",
    "ICA": "ice apron",
    "LAC": "glacier lake; glacial lake; ice lake; ice-marginal lake; ice-dammed lake; "
    "moraine-dammed lake; proglacial lake; supraglacial lake; supraglacial pond; lake on glacier; "
    "non-glacier water; lac glaciaire; lac de glacier; lago glaciale; Gletschersee",
    "RIV": "glacier river; meltwater stream; supraglacial stream; Gletscherbach",
    "DEB": "moraine; lateral moraine; ice-cored moraine; moraine on ice; glacial till; "
    "rock glacier; glacier forefield; glacier foreland; ablation moraine; debris cover",
    "ROC": "bedrock; nunatak; ice-free rock; rock wall; valley cliff",
    "PLA": "outwash plain; glacial valley; glacier valley",
    "MEA": "wet meadow; forest meadow; Almwiese",
    "FOR": "urban forest; valley forest",
    "CRO": "corn field; champ de blé",
    None: "sea ice; pack ice; ground ice; off-glacier; non-glacier; ice-free; ice-free land; "
    "outside glacier; former glacier; glacier-free area; WET snowmobile; Meereis",
}
"""Terms of the glossary of mass balance (Cogley and others, 2011) and of land cover, by meaning."""


@pytest.mark.parametrize(
    ("term", "code"),
    [(term.strip(), code) for code, terms in GLOSSARY.items() for term in terms.split(";")],
)
def test_terms_mean_the_noun_that_the_others_describe(term: str, code: str | None) -> None:
    assert kind_of(term) == code


def test_codes_are_words_only_alone() -> None:
    assert [kind_of(word) for word in ("WET", "wet", "ABL_2", "PLA", "SOL x", "DEB 7")] == [
        *("WET", "WET", "ABL", "PLA", "SOI", "DEB")
    ]
    assert kind_of("CRO magnon") is None
    named = legend(("wet snow", "1", "no"), parsed({"no": {"name": "Gletscher"}}))
    assert named.glacier == {"no"}


def test_classes_are_written_in_one_way() -> None:
    assert spelt_as(("grass ", "Grass", " Bare  rock", "bare ROCK"), ("GRASS", "x")) == [
        *("GRASS", "GRASS", "Bare  rock", "Bare  rock")
    ]
    assert spelt_as(("a", "A"), ("A", "a")) == ["a", "A"]
    with pytest.raises(SampleError, match="classes GRASS and grass differ"):
        require_one_spelling(("grass", "GRASS"), where="here")


@pytest.mark.parametrize(
    ("name", "both"),
    [
        ("bare ice-forest", ("bare ice", "forest")),
        ("debris-covered ice-forest", ("debris-covered ice", "forest")),
        ("Debris-covered ice - Forest", ("debris-covered ice", "forest")),
        ("debris-covered ice", ("debris-covered ice", "debris-covered ice")),
        ("debris-covered ice-debris-covered ice", ("debris-covered ice", "debris-covered ice")),
        ("forest-lake", ("forest", "lake")),
        ("lake-meadow", ("lake", "meadow")),
        ("lake", ("lake", "lake")),
    ],
)
def test_answers_name_two_dates(name: str, both: tuple[str, str]) -> None:
    assert answered(name, ("bare ice", "debris-covered ice", "forest")) == both


def test_unknown_codes_keep_their_colours_by_position() -> None:
    """Maps without a legend look as they did."""
    assert colours(("C1", "C2", "ROC")) == {"C1": "#332288", "C2": "#88ccee", "ROC": "#a6978c"}


def test_no_two_classes_share_a_colour() -> None:
    drawn = colours(("roche", "rocher", "ROC", "Fels", "x"), {"x": "#a6978c"})
    assert len(set(drawn.values())) == 5
    assert drawn["x"] == "#a6978c"


def test_a_legend_is_what_was_said_and_else_what_words_mean() -> None:
    named = legend(
        ("ACC", "b", "roche"),
        parsed({"b": {"name": "Gletscher", "order": 1}, "roche": {"glacier": True}}),
    )
    assert named.order == ("b", "ACC", "roche")
    assert named.glacier == {"ACC", "b", "roche"}
    assert named.names == {"ACC": "accumulation area", "b": "Gletscher"}
    assert named.colours["b"] == colours(("Gletscher",))["Gletscher"]
    assert named.colours["roche"] == "#a6978c"
    assert parsed(named.text()) == named.given
    assert legend(("debris-covered", "ice-apron")).glacier == {"ice-apron"}
    assert legend(("ABL", "ABL-ROC", "ROC-ABL", "ROC")).glacier == {"ABL"}


@pytest.mark.parametrize(
    ("classes", "subject"),
    [
        (("ABL", "ACC", "HAG", "ICA"), "Glacier surface classes"),
        (("ABL", "FOR"), "Surface classes"),
        (("CEREAL", "GRASS", "MAIZE"), "Surface classes"),
        (("C1", "C2"), "Surface classes"),
    ],
)
def test_a_map_is_called_by_what_it_shows(classes: tuple[str, ...], subject: str) -> None:
    assert legend(classes).subject == subject


def test_later_words_replace_earlier_ones_one_by_one() -> None:
    below = parsed({"a": {"name": "A", "colour": "#111111"}, "b": {"colour": "#222222"}})
    both = merged(below, parsed({"a": {"colour": "#222222"}}))
    assert plain(both) == {"a": {"name": "A", "colour": "#222222"}, "b": {}}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("#ABCDEF", "#abcdef"),
        ("abc", "#aabbcc"),
        ("31,120,180", "#1f78b4"),
        ("31, 120, 180, 255", "#1f78b4"),
        ("rgb(0, 0, 255)", "#0000ff"),
        (" Red ", "#ff0000"),
    ],
)
def test_colours_as_people_write_them(text: str, found: str) -> None:
    assert as_hex(text) == found


@pytest.mark.parametrize("text", ["", "#12345", "rouge vif", "300,0,0", "#gggggg", "1;2;3"])
def test_what_is_no_colour(text: str) -> None:
    with pytest.raises(ConfigError, match=r"legend\.ROC\.colour: .*not a colour") as caught:
        RunConfig.parse({"legend": {"ROC": {"colour": text}}})
    assert "\n" not in str(caught.value)


def test_wrong_legends_are_one_sentence() -> None:
    twice = {"A": {"colour": "red"}, "B": {"colour": "#FF0000"}}
    with pytest.raises(ConfigError, match="classes A and B have one colour, #ff0000"):
        RunConfig.parse({"legend": twice})
    with pytest.raises(ConfigError, match=r"no setting `legend\.A\.coulour`"):
        RunConfig.parse({"legend": {"A": {"coulour": "red"}}})
    with pytest.raises(ConfigError, match="class ROX that is not there; choose among ABL, ROC"):
        require_known({"ROX": ClassStyle(name="x")}, ("ROC", "ABL"), where="legend")


def test_a_legend_is_a_setting_like_others() -> None:
    run = RunConfig.parse({"legend": {"ROC": {"name": "Fels", "colour": "grey"}}})
    again = RunConfig.parse(json.loads(run.model_dump_json()))
    assert again == run
    assert run.with_values({"legend": {"ROC": {"order": 2}}}).legend["ROC"] == ClassStyle(
        name="Fels", colour="grey", order=2
    )
