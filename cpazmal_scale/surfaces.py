"""Names of surfaces in English, French, German and Italian, and the class that each means."""

from __future__ import annotations

import re
import unicodedata
from itertools import takewhile
from typing import NamedTuple

_WORDS = {
    "ABL": "ablation, ablation area, ablation zone, bare ice, glacier tongue; zone d ablation, "
    "glace nue, langue glaciaire; ablationsgebiet, ablationszone, zehrgebiet, blankeis, "
    "gletscherzunge; ablazione, zona di ablazione, area di ablazione, ghiaccio nudo, ghiaccio "
    "vivo, lingua glaciale",
    "ACC": "accumulation, accumulation area, accumulation zone, firn, dry snow zone, percolation "
    "zone, wet snow zone, superimposed ice, superimposed ice zone; zone d accumulation; "
    "akkumulation, akkumulationsgebiet, akkumulationszone, nährgebiet, firnfeld; accumulazione, "
    "zona di accumulazione, area di accumulazione, bacino di accumulazione, nevato",
    "HAG": "hanging glacier; glacier suspendu, glaciers suspendus; hängegletscher, hängender "
    "gletscher; ghiacciaio pensile, ghiacciai pensili, ghiacciaio sospeso, ghiacciai sospesi",
    "ICA": "ice apron, ice face; tablier de glace, tabliers de glace, placage de glace, face de "
    "glace, glace de paroi; eisschürze, eiswand, eiswände, wandvereisung; grembiule di ghiaccio, "
    "parete di ghiaccio, pareti di ghiaccio, scivolo di ghiaccio",
    "GLA": "glacier, ice, icefield, ice cliff, ice stream; glace, glaciaire, glacier; gletscher, "
    "eis; ghiacciaio, ghiacciai, ghiaccio",
    "SER": "serac, icefall, ice fall, crevasse; chute de glace; gletscherbruch, eisbruch, "
    "gletscherspalte, gletscherspalten, spalte, spalten; seracco, seracchi, seraccata, "
    "crepaccio, crepacci",
    "DCG": "debris covered glacier, debris covered ice, debris mantled glacier, black glacier; "
    "glacier noir, glacier couvert, glace couverte de débris; schuttbedeckter gletscher, "
    "schuttbedecktes eis; ghiacciaio nero, ghiacciaio coperto, ghiaccio coperto di detriti",
    "SNO": "snow, snowfield, snowpack; neige; schnee, schneefeld, schneefelder; neve, nevi, "
    "nevaio, nevai",
    "DEB": "debris, moraine, till, scree, talus, boulder, rock glacier, forefield, foreland; "
    "éboulis, pierrier, glacier rocheux, glaciers rocheux, marge proglaciaire; schutt, geröll, "
    "moräne, moränen, blockschutt, blockgletscher, schutthalde, schutthalden, vorfeld, "
    "gletschervorfeld; morena, morene, detrito, detriti, ghiaione, ghiaioni, ghiacciaio roccioso",
    "FOR": "forest, wood, woodland, tree; forêt, bois, boisement, arbre; wald, wälder, gehölz, "
    "baum, bäume, nadelwald, laubwald; foresta, foreste, bosco, boschi, albero, alberi",
    "CIT": "city, cities, town, urban, settlement, village, building, built up, road; ville, "
    "urbain, zone urbaine, bâti, bâtiment, route; stadt, städte, siedlung, siedlungen, dorf, "
    "dörfer, gebäude, strasse, strassen; città, paese, paesi, urbano, abitato, edificio, edifici, "
    "insediamento, strada, strade",
    "LAC": "lake, water, pond, reservoir, lake ice; lac, eau, étang, plan d eau; see, seen, "
    "wasser, gewässer, weiher, teich, teiche, stausee, stauseen; lago, laghi, acqua, acque, "
    "stagno, stagni, bacino",
    "RIV": "river, stream, torrent, river ice; rivière, fleuve, ruisseau, torrent, cours d eau; "
    "fluss, flüsse, bach, bäche; fiume, fiumi, torrente, torrenti",
    "ROC": "rock, bedrock, bare rock, cliff, rock face, nunatak; roche, rocher, falaise, paroi, "
    "paroi rocheuse; fels, felsen, felswand, felswände, gestein; roccia, rocce, parete, pareti, "
    "parete rocciosa",
    "PLA": "plain, flat, valley, valley floor; plaine, vallée, fond de vallée; ebene, ebenen, "
    "tal, täler, talboden, flachland; pianura, pianure, valle, valli, fondovalle",
    "MEA": "meadow, grass, grassland, pasture; pré, prairie, pâturage, herbe, alpage, pelouse; "
    "wiese, wiesen, weide, weiden, gras, grasland, alm; prato, prati, prateria, pascolo, "
    "pascoli, erba",
    "VEG": "vegetation; vegetation; vegetation, pflanzen, bewuchs; vegetazione",
    "SHR": "shrub, bush, bushes, heath, scrub; arbuste, buisson, lande, broussaille; strauch, "
    "sträucher, gebüsch, busch, büsche, heide; arbusto, arbusti, cespuglio, cespugli, brughiera",
    "WET": "wetland, bog, swamp, marsh, marshes, peat, peatland; marais, tourbière, zone humide; "
    "moor, moore, sumpf, sümpfe, feuchtgebiet, feuchtgebiete; palude, paludi, torbiera, "
    "torbiere, zona umida",
    "CRO": "crop, cropland, field, farmland, agriculture, arable; champ, culture, terre agricole; "
    "acker, äcker, feld, felder, ackerland; campo, campi, coltivo, coltura, colture, agricoltura",
    "SOI": "soil, bare soil, bare ground, gravel, sand; sol, sol nu, gravier, sable; boden, erde, "
    "kies; suolo, suolo nudo, terreno, ghiaia, sabbia",
    "": "sea ice, pack ice, fast ice, ground ice, ice free; banquise, glace de mer; meereis; "
    "ghiaccio marino",
}
"""Surfaces by a code of three letters, and what they are called in English, French, German and
Italian, singular and irregular plural; the last are none of these, whatever they contain."""

_ACCENTED = {"névé": "ACC", "névés": "ACC"}
"""Words that are others without their accents."""
_LONGEST = 4

_NEXT = frozenset("no non not off outside former hors kein keine nicht fuori".split())  # noqa: SIM905
"""Words that deny the next one."""
_REST = frozenset("without sans ohne senza libre libero frei".split())  # noqa: SIM905
"""Words that deny all that follows."""
_FREE = "free"
"""It denies the word before."""
_OR = frozenset("and or et ou und oder e o ed od".split())  # noqa: SIM905
_PREPOSITIONS = (
    "of on in with at under near above below from beside along "
    "de du des d sur sous dans en avec au aux a "
    "von vom auf im mit am an unter bei aus "
    "di del dello della dei degli delle dell su sul sulla nel nella con al"
)
_OF = frozenset(_PREPOSITIONS.split())
"""What is meant stands before them."""
_FIELDS = frozenset("field feld felder champ campo campi".split())  # noqa: SIM905
"""Crops, unless of something else: an ice field."""

GLACIER = frozenset({"ABL", "ACC", "HAG", "ICA", "GLA", "SER", "DCG"})
"""Surfaces that belong to glaciers."""


class _Part(NamedTuple):
    """Words that are one: their surface, none if it is not known, and whether heads come first."""

    words: str
    kind: str | None
    romance: bool


def kind_of(name: str) -> str | None:
    """The surface that a class code or name means; none if it says nothing known.

    Upper and lower case, accents, `ae` for `ä`, `ss` for `ß`, plurals, hyphens and underscores make
    no difference. In a phrase the noun decides that the others describe: the last in English and
    German, also within a German compound, the first in French and Italian, the one before a
    preposition, the first of several. What is denied does not count.
    """
    plain = unicodedata.normalize("NFC", name.strip()).casefold()
    if plain in _ACCENTED:
        return _ACCENTED[plain]
    if (code := _bare(plain).upper()) in _WORDS:
        return code or None
    for phrase in re.split(r"[(),;/&+]", plain):
        parts = _affirmed(_parts(_bare(phrase).split()))
        for several in _cut(parts, _OR):
            found = _meant(_cut(several, _OF))
            if found:
                return found
    return None


def _parts(words: list[str]) -> list[_Part]:
    """Words, the longest known ones together."""
    found, at = [], 0
    while at < len(words):
        for length in range(min(len(words) - at, _LONGEST), 0, -1):
            part = _known(words[at : at + length])
            if part is not None or length == 1:
                found.append(part or _Part(words[at], *_compound(words[at])))
                at += length
                break
    return found


def _known(words: list[str]) -> _Part | None:
    """The surface of these words, as they are or in the singular."""
    phrase = " ".join(words)
    singular = " ".join(re.sub(r"(?<=..)[sx]$", "", word) for word in words)
    for one in (phrase, singular):
        if one in _SURFACES:
            return _Part(one, *_SURFACES[one])
    return None


def _compound(word: str) -> tuple[str | None, bool]:
    """The surface of a German compound of two nouns: that of its second, or of what a field is."""
    for at in range(3, len(word) - 2):
        first, last = word[:at], word[at:]
        if first in _GERMAN and last in _GERMAN:
            return _GERMAN[first if last in _FIELDS else last], False
    return None, False


def _affirmed(parts: list[_Part]) -> list[_Part]:
    """Without what is denied."""
    kept: list[_Part] = []
    denied = False
    for part in takewhile(lambda one: one.words not in _REST, parts):
        if part.words == _FREE:
            kept = kept[:-1]
        elif not denied and part.words not in _NEXT:
            kept.append(part)
        denied = part.words in _NEXT
    return kept


def _cut(parts: list[_Part], between: frozenset[str]) -> list[list[_Part]]:
    """Parts in pieces, without the words between them."""
    pieces: list[list[_Part]] = [[]]
    for part in parts:
        if part.words in between:
            pieces.append([])
        else:
            pieces[-1].append(part)
    return pieces


def _meant(pieces: list[list[_Part]]) -> str | None:
    """The surface of the first piece that has one, each said of the one before it."""
    field: str | None = None
    for piece in pieces:
        known = [part for part in piece if part.kind is not None]
        surfaces = [part for part in known if part.words not in _FIELDS]
        if surfaces:
            first = any(part.romance for part in surfaces)
            return surfaces[0 if first else -1].kind
        field = field or (known[0].kind if known else None)
    return field


def _bare(text: str) -> str:
    """Lower-case letters without accents, `ae` as `a`, words apart by single blanks."""
    text = text.casefold().replace("œ", "oe").replace("æ", "ae")
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    text = re.sub(r"(?<=[^\W\d_])(ae|oe|ue)", lambda found: found[0][0], text)
    return " ".join(re.findall(r"[^\W\d_]+", text))


def _table(*languages: int) -> dict[str, str]:
    """Surfaces by the words of some languages, by their places."""
    return {
        _bare(word): code
        for code, words in _WORDS.items()
        for language in languages
        for word in words.split(";")[language].split(",")
    }


_GERMAN = _table(2)
_SURFACES = {word: (code, True) for word, code in _table(1, 3).items()} | {
    word: (code, False) for word, code in _table(0, 2).items()
}
"""Surfaces by words, and whether these are of languages whose nouns come first."""
