"""One written token in its context -> spoken words and the pause after it.

A token is a run of non-space characters; its neighbours are raw tokens. Figures are read by `spoken_numbers`;
here are abbreviations, symbols, addresses and everything that is left.
"""

import html
import re
import unicodedata
from typing import NamedTuple

from a2llm.language.number_words import cardinal, ordinal, roman, year
from a2llm.language.spoken_codes import Context
from a2llm.language.spoken_dates import month_name, named_span
from a2llm.language.spoken_numbers import speak_figure, speak_unit
from a2llm.language.spoken_pieces import SYMBOLS, speak_address, speak_pieces
from a2llm.language.spoken_runs import may_grow
from a2llm.language.spoken_tables import DAYS_SHORT, MONTHS, MONTHS_SHORT, PARTS, RULERS, UNITS, table

_TITLES = table(
    """
    mr Mister; mrs Missus; ms Miz; prof Professor; gen General; capt Captain; sgt Sergeant; rev Reverend; gov Governor; sen Senator;
    lt Lieutenant
    """
)
_NEVER_LAST = table(
    """
    e.g for example,; i.e that is,; vs versus; approx approximately; fig figure; vol volume; dept department; est established;
    cf compare
    """
)
_MAY_BE_LAST = table(
    """
    etc et cetera; a.m AM; p.m PM; jr Junior; sr Senior; inc Incorporated; ltd Limited; corp Corporation; co Company; ave Avenue;
    blvd Boulevard; rd Road; ph.d PhD; al al; govt government; misc miscellaneous
    """
)
_DOTLESS = table(
    """
    etc et cetera; vs versus; mr Mister; mrs Missus; w/ with; w/o without; b/c because; e.g for example,; i.e that is,; c++ C plus plus;
    c# C sharp; f# F sharp; &c et cetera; and/or and or
    """
)
_TYPOGRAPHY = {
    **str.maketrans("’‘ʼ“”„«»‑‐", '\'\'\'"""""--', "™®©\u00ad"),
    **str.maketrans({"²": " squared", "³": " cubed", "…": "...", "π": " pi ", "µ": " micro ", "μ": " micro ", "º": "°", "\u2044": "/"}),
}
_SUPERSCRIPT = re.compile("[⁰¹⁴-⁹⁻⁺][⁰¹²³⁴-⁹]*|[²³][⁰¹²³⁴-⁹]+")
_VULGAR = re.compile("[¼-¾⅐-⅞]")
_FOREIGN_LATIN = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "Ae", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "ð": "th", "þ": "th", "œ": "oe", "ı": "i"}
)
_OPENING, _CLOSING = "\"'([{*_`|¿¡", "\"')]}*_`|.,;:!?"
_LONGEST = 200  # characters of an address or figure; patterns would search longer ones for too long
_DASHES = ("-", "–", "—", "--", "---")


class Spoken(NamedTuple):
    """`words` may be empty; `pause` is "" or one of . , ; : ! ? ...

    `opens` and `closes` ask for a comma before and after, if a word stands there (brackets, dashes).
    """

    words: str = ""
    pause: str = ""
    opens: bool = False
    closes: bool = False


def needs_next(token: str) -> bool:
    """Whether the next token can change how this one is spoken."""
    _, core, closing = _peel(tidy(token))
    if any(char.isdigit() for char in core):
        return not _pause(closing) or _LIST_NUMBER.fullmatch(token) is not None
    if not closing and (
        core in MONTHS_SHORT or core in DAYS_SHORT or core in ("No", "Nos") or may_grow(core) or (len(core) > 1 and roman(core))
    ):
        return True
    if closing.startswith("."):
        if core in ("Rs", "No", "Nos"):
            return True
        return bool(core.lower() in _WITH_DOT or _initials(core) or _CAPITAL.fullmatch(core) or core.lower() in UNITS)
    return not any(map(str.isalnum, token)) or core in ("x", "X")


def pauses(token: str) -> str:
    """The pause that the marks behind a token ask for; "" for none."""
    return _pause(_peel(tidy(token))[2])


def speak_token(token: str, before: str, after: str, recent: tuple[str, ...] = ()) -> Spoken:
    """Words and pause of `token`; `before` and `after` are its neighbours, "" at the ends; `recent`: the sentence's words before."""
    text = tidy(token)
    before = before if before.isascii() else tidy(before).strip()
    opening, core, closing = _peel(text)
    if re.fullmatch(r"\(\d+\)[\d -]*\d.*", text):  # an area code and its number
        core, opening = "(" + core, ""
    if not core:
        return _bare(text, before, after)
    if _pause(closing) and closing[0] != ".":
        after = ""  # what follows a pause does not change how a figure is read
    words, closing = _abbreviation(core, closing, before, after) or (_core(core, Context(before, after, recent)), closing)
    if not words:
        return _bare(text, before, after)
    return Spoken(words, _pause(closing), opens="(" in opening, closes=")" in closing)


def tidy(token: str) -> str:
    """Entities decoded, typography made plain, links reduced to their text, foreign scripts and emoji dropped."""
    text = re.sub(r"(?<=[mt])([²³])", lambda m: "23"["²³".index(m[1])], html.unescape(token))  # m², ft²: units
    text = _VULGAR.sub(lambda m: f" {unicodedata.normalize('NFKC', m[0])}", text)
    text = _SUPERSCRIPT.sub(lambda m: f"^{unicodedata.normalize('NFKC', m[0])}", text).replace("^\u2212", "^-")
    text = text.translate(_TYPOGRAPHY)
    text = re.sub(r"!?\[([^\]]*)\]\([^)\s]*\)?", r"\1", text)  # [text](address), within one token
    text = re.sub(r"\]\([^)\s]*\)", "", text)  # its end, when the text had spaces
    return "".join(_latin(char) for char in text)


def _latin(char: str) -> str:
    if char.isascii() or char in SYMBOLS or char in "–—" or ("À" <= char <= "ÿ" and char not in "ßæÆøØðþ×÷"):
        return char
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    plain = unicodedata.normalize("NFKD", char.translate(_FOREIGN_LATIN))
    return "".join(part for part in plain if part.isascii())


def _peel(text: str) -> tuple[str, str, str]:
    """Opening marks, core, closing marks."""
    start = text.strip().lstrip(_OPENING)
    core = start.rstrip(_CLOSING)
    opening = text.strip()[: len(text.strip()) - len(start)]
    about = "~" if re.match(r"~\d", core) else ""
    return opening, about + core.strip("~"), start[len(core) :]


def _pause(closing: str) -> str:
    for mark in ("?", "!", "...", ".", ":", ";", ","):
        if mark in closing:
            return mark
    return ""


def _bare(text: str, before: str, after: str) -> Spoken:
    """A token without words: marks, dashes, a lone operator. Anything else (emoticons, rules) is silent."""
    if before[-1:].isdigit() and after[:1].isdigit() and text in ("*", "-", "–"):
        return Spoken({"*": "times", "-": "minus", "–": "to"}[text])
    if text in _DASHES:
        return Spoken(opens=True)
    return Spoken(pause=_pause(text)) if text and set(text) <= set(".,;:!?\"'") else Spoken()


def _abbreviation(core: str, closing: str, before: str, after: str) -> tuple[str, str] | None:
    """Words of an abbreviation with its dot, and the closing marks that remain."""
    if not closing.startswith("."):
        return None
    rest, key = closing[1:], core.lower()
    if found := _TITLES.get(key) or _NEVER_LAST.get(key) or _street_or_saint(key, before, after):
        return found, rest
    if key in ("no", "nos") and after[:1].isdigit():
        return "number" if key == "no" else "numbers", rest
    last = not after or after.lstrip(_OPENING)[:1].isupper()
    if names := MONTHS_SHORT.get(core) or _DAYS_ALWAYS.get(core):
        return names, closing if last else rest
    if _CAPITAL.fullmatch(core):  # J. Smith, but: vitamin C.
        in_name = after[:1].isupper() and (not before or before[:1].isupper() or before[-1] in ".!?")
        return core, rest if in_name else closing
    if words := _MAY_BE_LAST.get(key) or _initials(core):
        return words, closing if last else rest
    if words := speak_unit(core, before):
        return words, closing if last else rest
    return None


_DAYS_ALWAYS = {short: name for short, name in DAYS_SHORT.items() if short not in ("Sat", "Sun")}  # which are words, too
_CAPITAL = re.compile(r"[B-HJ-Z]")
_LIST_NUMBER = re.compile(r"\d{1,2}[.)]")
_WITH_DOT = {*_TITLES, *_NEVER_LAST, *_MAY_BE_LAST, *map(str.lower, MONTHS_SHORT), *map(str.lower, _DAYS_ALWAYS), "no", "nos", "dr", "st"}


def _street_or_saint(key: str, before: str, after: str) -> str | None:
    names = {"dr": ("Doctor", "Drive"), "st": ("Saint", "Street")}.get(key)
    if names is None:
        return None
    follows_name = before[:1].isupper() and before[-1:].isalpha() and not after[:1].isupper()
    return names[1] if follows_name else names[0]


def _initials(core: str) -> str | None:
    """Joins initials: U.S -> US. None for other words."""
    return core.replace(".", "").upper() if re.fullmatch(r"(?:[A-Za-z]\.)+[A-Za-z]", core) else None


def _core(core: str, context: Context) -> str:
    before, after = context.before, context.after
    if core in _DASHES:
        return ""
    if core in ("x", "X", "/") and before[-1:].isdigit() and after[:1].isdigit():
        return "divided by" if core == "/" else "by"
    if len(core) > _LONGEST:
        return speak_pieces(core, before, after)
    if words := _DOTLESS.get(core.lower()):
        return words
    if (words := speak_unit(core, before)) is not None:
        return words
    if any(char.isdigit() for char in core) and (words := _figure(core, context)):
        return words
    if words := _name_of_time(core, before, after) or _roman(core, context) or _dot_name(core):
        return words
    return _initials(core) or speak_address(core) or speak_pieces(core, before, after)


def _figure(core: str, context: Context) -> str | None:
    if words := speak_figure(core, context):
        return words
    span = re.fullmatch(r"([^-–]*\d[^-–]*)[-–]([^-–]*\d[^-–]*)", core)  # 3pm-5pm, $5-$10
    ends = [speak_figure(part, Context("-", "-")) for part in span.groups()] if span else [None]
    return " to ".join(filter(None, ends)) if all(ends) else None


def _name_of_time(core: str, before: str, after: str) -> str | None:
    """Days and months in their short forms, and the number sign No, where a figure follows."""
    if core in ("No", "Nos") and after[:1].isdigit():
        return "number" if core == "No" else "numbers"
    day = _DAYS_ALWAYS.get(core) or (DAYS_SHORT.get(core) if after[:1].isdigit() or after in (*MONTHS, *MONTHS_SHORT) else None)
    return day or named_span(core) or (None if core in MONTHS else month_name(core, before) or month_name(core, after))


def _roman(core: str, context: Context) -> str | None:
    """A Roman numeral where the word before it wants one: Henry VIII, Chapter IV, Super Bowl LVIII, XIX century."""
    match = re.fullmatch(r"([IVXLCDM]+)('s)?", core)
    value = roman(match[1]) if match else None
    if match is None or value is None:
        return None
    before, letters, ending = re.sub(r"[^a-z]", "", context.before.lower()), match[1], match[2] or ""
    if len(letters) > 1 and context.after.lower().startswith("centur"):
        return ordinal(value) + ending
    if len(letters) > 4 and 1500 <= value < 2100:
        return year(value) + ending
    if not context.before[:1].isupper() or before in ("the", "an", "a"):
        return None
    if before in RULERS:
        return f"the {ordinal(value)}{ending}" if letters != "I" and value < 40 else None
    if before in PARTS and value < 100 and (before != "war" or "world" in context.recent):
        return cardinal(value) + ending
    return cardinal(value) + ending if len(letters) > 1 and value < 90 and letters not in ("XL", "LI", "MI") else None


def _dot_name(core: str) -> str | None:
    """.NET, .txt: the dot is part of the name."""
    return f"dot {core[1:]}" if re.fullmatch(r"\.(?:[A-Z]+|[a-z]{1,5})", core) else None
