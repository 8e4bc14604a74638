"""Facts about countries are lines of a fact file that can be spoken; what is not clear is left out."""

import json
from pathlib import Path

from a2llm.data.countries import Country
from a2llm.data.facts import load_facts, read_facts


def test_a_country_gives_lines_of_a_fact_file(tmp_path: Path) -> None:
    file = tmp_path / "countries.jsonl"
    lines = list(Country("the Netherlands", "Amsterdam", "Europe", "euro", "Dutch").facts())
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    said = {(d.turns[0].user, d.turns[0].response) for d in read_facts(file)}
    assert len(lines) == 5 and len(said) == sum(len(line["ask"]) for line in lines)
    assert all(response[0].isupper() and response.endswith(".") for _, response in said)
    assert {response for user, response in said if user == "capital of the Netherlands"} <= {
        "The capital of the Netherlands is Amsterdam.",
        "Amsterdam is the capital of the Netherlands.",
    }


def test_what_is_not_clear_is_left_out() -> None:
    assert list(Country("Nowhere", "", "", "", "").facts()) == []
    assert all(line["kind"] != "fact.country.capital" for line in Country("Monaco", "Monaco", "Europe", "euro", "").facts())


def test_the_lines_that_ship_name_what_everybody_knows() -> None:
    said = {d.turns[0].user: d.turns[0].response for d in load_facts() if d.kind.startswith("fact.country")}
    assert len(said) > 2000
    for asked, word in (("capital of Peru", "Lima"), ("currency in Japan", "yen"), ("On which continent is Kenya?", "Africa")):
        assert word in said[asked]
