"""What people call surfaces, in English, French, German and Italian."""

from __future__ import annotations

import re
import unicodedata

_WORDS = {
    "ABL": "ablation, ablation area, ablation zone, bare ice, glacier tongue, zone d "
    "ablation, glace nue, langue glaciaire, ablationsgebiet, ablationszone, "
    "zehrgebiet, blankeis, gletscherzunge, ablazione, zona di ablazione, area di "
    "ablazione, ghiaccio nudo, ghiaccio vivo, lingua glaciale",
    "ACC": "accumulation, accumulation area, accumulation zone, firn, zone d accumulation, "
    "akkumulation, akkumulationsgebiet, akkumulationszone, nährgebiet, firnfeld, "
    "accumulazione, zona di accumulazione, area di accumulazione, bacino di "
    "accumulazione, nevato",
    "HAG": "hanging glacier, glacier suspendu, glaciers suspendus, hängegletscher, hängender "
    "gletscher, ghiacciaio pensile, ghiacciai pensili, ghiacciaio sospeso, ghiacciai "
    "sospesi",
    "ICA": "ice apron, ice face, tablier de glace, tabliers de glace, placage de glace, face "
    "de glace, glace de paroi, eisschürze, eiswand, eiswände, wandvereisung, "
    "grembiule di ghiaccio, parete di ghiaccio, pareti di ghiaccio, scivolo di "
    "ghiaccio",
    "GLA": "glacier, ice, glace, glaciaire, gletscher, eis, ghiacciaio, ghiacciai, ghiaccio",
    "SER": "serac, icefall, ice fall, crevasse, chute de glace, gletscherbruch, eisbruch, "
    "gletscherspalte, gletscherspalten, spalte, spalten, seracco, seracchi, "
    "seraccata, crepaccio, crepacci",
    "DCG": "debris covered glacier, debris covered ice, black glacier, glacier noir, glacier "
    "couvert, schuttbedeckter gletscher, schuttbedecktes eis, ghiacciaio nero, "
    "ghiacciaio coperto",
    "SNO": "snow, snowfield, neige, schnee, schneefeld, schneefelder, neve, nevi, nevaio, "
    "nevai",
    "DEB": "debris, moraine, scree, talus, boulder, rock glacier, eboulis, pierrier, glacier "
    "rocheux, glaciers rocheux, schutt, geröll, moräne, moränen, blockschutt, "
    "blockgletscher, schutthalde, schutthalden, morena, morene, detrito, detriti, "
    "ghiaione, ghiaioni, ghiacciaio roccioso",
    "FOR": "forest, wood, woodland, tree, forêt, bois, boisement, arbre, wald, wälder, "
    "gehölz, baum, bäume, nadelwald, laubwald, foresta, foreste, bosco, boschi, "
    "albero, alberi",
    "CIT": "city, cities, town, urban, settlement, village, building, built up, road, ville, "
    "urbain, zone urbaine, bâti, bâtiment, route, stadt, städte, siedlung, "
    "siedlungen, dorf, dörfer, gebäude, strasse, strassen, città, paese, paesi, "
    "urbano, abitato, edificio, edifici, insediamento, strada, strade",
    "LAC": "lake, water, pond, reservoir, lac, eau, étang, plan d eau, see, seen, wasser, "
    "gewässer, weiher, teich, teiche, stausee, stauseen, lago, laghi, acqua, acque, "
    "stagno, stagni, bacino",
    "RIV": "river, stream, torrent, rivière, fleuve, ruisseau, cours d eau, fluss, flüsse, "
    "bach, bäche, fiume, fiumi, torrente, torrenti",
    "ROC": "rock, bedrock, bare rock, cliff, rock face, roche, rocher, falaise, paroi, paroi "
    "rocheuse, fels, felsen, felswand, felswände, gestein, roccia, rocce, parete, "
    "pareti, parete rocciosa",
    "PLA": "plain, flat, valley, valley floor, plaine, vallée, fond de vallée, ebene, "
    "ebenen, tal, täler, talboden, flachland, pianura, pianure, valle, valli, "
    "fondovalle",
    "MEA": "meadow, grass, grassland, pasture, pré, prairie, pâturage, herbe, alpage, "
    "pelouse, wiese, wiesen, weide, weiden, gras, grasland, alm, prato, prati, "
    "prateria, pascolo, pascoli, erba",
    "VEG": "vegetation, pflanzen, bewuchs, vegetazione",
    "SHR": "shrub, bush, bushes, heath, scrub, arbuste, buisson, lande, broussaille, "
    "strauch, sträucher, gebüsch, busch, büsche, heide, arbusto, arbusti, cespuglio, "
    "cespugli, brughiera",
    "WET": "wetland, bog, swamp, marsh, marshes, peat, peatland, marais, tourbière, zone "
    "humide, moor, moore, sumpf, sümpfe, feuchtgebiet, feuchtgebiete, palude, paludi, "
    "torbiera, torbiere, zona umida",
    "CRO": "crop, cropland, field, farmland, agriculture, arable, champ, culture, terre "
    "agricole, acker, äcker, feld, felder, ackerland, campo, campi, coltivo, coltura, "
    "colture, agricoltura",
    "SOI": "soil, bare soil, bare ground, gravel, sand, sol, sol nu, gravier, sable, boden, "
    "erde, kies, suolo, suolo nudo, terreno, ghiaia, sabbia",
}  # fmt: skip
"""Surfaces by a code of three letters, and what they are called, singular and irregular plural."""

_ACCENTED = {"névé": "ACC", "névés": "ACC"}
"""Words that are others without their accents."""
_NEGATIONS = frozenset(
    "no non not without free hors sans kein keine ohne nicht senza fuori".split()  # noqa: SIM905
)
_LONGEST = 4

GLACIER = frozenset({"ABL", "ACC", "HAG", "ICA", "GLA", "SER", "DCG"})
"""Surfaces that belong to glaciers."""


def kind_of(name: str) -> str | None:
    """The surface that a class code or name means; none if it says nothing known.

    Upper and lower case, accents, `ae` for `ä`, `ss` for `ß`, plurals, hyphens and underscores make
    no difference; in a phrase, the longest known words decide.
    """
    plain = unicodedata.normalize("NFC", name.strip()).casefold()
    if plain in _ACCENTED:
        return _ACCENTED[plain]
    words = _bare(plain).split()
    if _NEGATIONS & set(words):
        return None
    for length in range(min(len(words), _LONGEST), 0, -1):
        for first in range(len(words) - length + 1):
            found = _known(words[first : first + length])
            if found is not None:
                return found
    return None


def _known(words: list[str]) -> str | None:
    """The surface of these words, as they are or in the singular."""
    phrase = " ".join(words)
    singular = " ".join(re.sub(r"(?<=..)[sx]$", "", word) for word in words)
    return _SURFACES.get(phrase) or _SURFACES.get(singular)


def _bare(text: str) -> str:
    """Lower-case letters without accents, `ae` as `a`, words apart by single blanks."""
    text = text.casefold().replace("œ", "oe").replace("æ", "ae")
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    text = re.sub(r"(?<=[^\W\d_])(ae|oe|ue)", lambda found: found[0][0], text)
    return " ".join(re.findall(r"[^\W\d_]+", text))


_SURFACES = {
    _bare(word): code for code, words in _WORDS.items() for word in (code, *words.split(","))
}
