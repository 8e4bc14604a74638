"""One written token in its context -> spoken words and the pause after it.

A token is a run of non-space characters; its neighbours are raw tokens. Figures are read by `spoken_numbers`;
here are abbreviations, symbols, addresses and everything that is left.
"""

import html
import re
import unicodedata
from typing import NamedTuple

from a2llm.language.number_words import digits
from a2llm.language.spoken_numbers import UNITS, speak_figure, speak_unit, table

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
_MONTHS = table("Jan January; Feb February; Apr April; Aug August; Sept September; Sep September; Oct October; Nov November; Dec December")
_DOTLESS = table(
    """
    etc et cetera; vs versus; mr Mister; mrs Missus; w/ with; w/o without; b/c because; e.g for example,; i.e that is,; c++ C plus plus;
    c# C sharp; f# F sharp; &c et cetera; and/or and or
    """
)
_ROMAN = table(
    """
    II two; III three; IV four; VI six; VII seven; VIII eight; IX nine; XI eleven; XII twelve; XIV fourteen; XV fifteen; XVI sixteen
    """
)
_SYMBOLS = table(
    """
    & and; + plus; = equals; @ at; % percent; × times; ÷ divided by; ° degrees; < less than; > more than; ≤ at most; ≥ at least;
    ≠ is not; ≈ about; → to; -> to; => to; ^ to the; $ dollars; € euros; £ pounds; ¥ yen; √ root of; ∞ infinity; ± plus or minus;
    № number; § section; ‰ per mille; − minus
    """
)
_TYPOGRAPHY = {
    **str.maketrans("’‘ʼ“”„«»‑‐", '\'\'\'"""""--', "™®©\u00ad"),
    **str.maketrans({"²": " squared", "³": " cubed", "…": "...", "π": " pi ", "µ": " micro ", "μ": " micro "}),
    **str.maketrans({"½": " 1/2", "¼": " 1/4", "¾": " 3/4", "⅓": " 1/3", "⅔": " 2/3"}),
}
_FOREIGN_LATIN = str.maketrans(
    {"ß": "ss", "æ": "ae", "Æ": "Ae", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "ð": "th", "þ": "th", "œ": "oe", "ı": "i"}
)
_ADDRESS = re.compile(
    r"(?:https?://)?(?:www\.)?(?P<host>[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|org|net|edu|gov|io|ai|co|uk|de|dev|app|info|eu|us|tv))"
    r"(?::\d+)?(?:[/?#]\S*)?",
    re.I,
)
_FILE_OR_HOST = re.compile(r"https?://(?P<host>[^/\s?#:]+)\S*|(?P<file>[A-Za-z][\w-]*(?:\.[a-z]\w{0,4})+)")
_EMAIL = re.compile(r"(?P<name>[\w.+-]+)@(?P<host>[\w-]+(?:\.[\w-]+)+)")
_OPENING, _CLOSING = "\"'([{*_`|¿¡", "\"')]}*_`|.,;:!?"
_PIECES = re.compile(
    r"[^\W\d_]+(?:'[^\W\d_]+)*(?:-[^\W\d_]+(?:'[^\W\d_]+)*)*"
    r"|\d+(?:st|nd|rd|th)\b|\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|[-=]>|[-–—]{2,}|[–—]|\.{2,}|."
)
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
    if closing.startswith("."):
        return bool(core.lower() in _WITH_DOT or _initials(core) or _CAPITAL.fullmatch(core) or core.lower() in UNITS)
    return not any(map(str.isalnum, token)) or core in ("x", "X")


def speak_token(token: str, before: str, after: str) -> Spoken:
    """Words and pause of `token`; `before` and `after` are its neighbours, "" at the ends."""
    text = tidy(token)
    opening, core, closing = _peel(text)
    if re.fullmatch(r"\(\d{3}\)", text):  # an area code
        return Spoken(digits(core))
    if not core:
        return _bare(text, before, after)
    if _pause(closing) and closing[0] != ".":
        after = ""  # what follows a pause does not change how a figure is read
    about = "about " if token[0] in "~≈" and token[1:2].isdigit() else ""
    words, closing = _abbreviation(core, closing, before, after) or (_core(core, before, after), closing)
    if not words:
        return _bare(text, before, after)
    return Spoken(about + words, _pause(closing), opens="(" in opening, closes=")" in closing)


def tidy(token: str) -> str:
    """Entities decoded, typography made plain, links reduced to their text, foreign scripts and emoji dropped."""
    text = re.sub(r"(?<=[mt])([²³])", lambda m: "23"["²³".index(m[1])], html.unescape(token))  # m², ft²: units
    text = text.translate(_TYPOGRAPHY)
    text = re.sub(r"!?\[([^\]]*)\]\([^)\s]*\)?", r"\1", text)  # [text](address), within one token
    text = re.sub(r"\]\([^)\s]*\)", "", text)  # its end, when the text had spaces
    return "".join(_latin(char) for char in text)


def _latin(char: str) -> str:
    if char.isascii() or char in _SYMBOLS or char in "–—" or ("À" <= char <= "ÿ" and char not in "ßæÆøØðþ×÷"):
        return char
    plain = unicodedata.normalize("NFKD", char.translate(_FOREIGN_LATIN))
    return "".join(part for part in plain if part.isascii())


def _peel(text: str) -> tuple[str, str, str]:
    """Opening marks, core, closing marks."""
    start = text.strip().lstrip(_OPENING)
    core = start.rstrip(_CLOSING)
    opening = text.strip()[: len(text.strip()) - len(start)]
    return opening.replace("~", ""), core.strip("~"), start[len(core) :]


def _pause(closing: str) -> str:
    for mark in ("?", "!", "...", ".", ":", ";", ","):
        if mark in closing:
            return mark
    return ""


def _bare(text: str, before: str, after: str) -> Spoken:
    """A token without words: marks, dashes, a lone operator. Anything else (emoticons, rules) is silent."""
    if before[-1:].isdigit() and after[:1].isdigit() and text in ("*", "-", "–"):
        return Spoken("times" if text == "*" else "minus")
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
    if key == "no" and after[:1].isdigit():
        return "number", rest
    last = not after or after.lstrip(_OPENING)[:1].isupper()
    if core in _MONTHS:
        return _MONTHS[core], closing if last else rest
    if _CAPITAL.fullmatch(core):  # J. Smith, but: vitamin C.
        in_name = after[:1].isupper() and (not before or before[:1].isupper() or before[-1] in ".!?")
        return core, rest if in_name else closing
    if words := _MAY_BE_LAST.get(key) or _initials(core):
        return words, closing if last else rest
    if words := speak_unit(core, before):
        return words, closing if last else rest
    return None


_CAPITAL = re.compile(r"[B-HJ-Z]")
_LIST_NUMBER = re.compile(r"\d{1,2}[.)]")
_WITH_DOT = {*_TITLES, *_NEVER_LAST, *_MAY_BE_LAST, *map(str.lower, _MONTHS), "no", "dr", "st"}


def _street_or_saint(key: str, before: str, after: str) -> str | None:
    names = {"dr": ("Doctor", "Drive"), "st": ("Saint", "Street")}.get(key)
    if names is None:
        return None
    follows_name = before[:1].isupper() and before[-1:].isalpha() and not after[:1].isupper()
    return names[1] if follows_name else names[0]


def _initials(core: str) -> str | None:
    """Joins initials: U.S -> US. None for other words."""
    return core.replace(".", "").upper() if re.fullmatch(r"(?:[A-Za-z]\.)+[A-Za-z]", core) else None


def _core(core: str, before: str, after: str) -> str:
    if core in _DASHES:
        return ""
    if core in ("x", "X") and before[-1:].isdigit() and after[:1].isdigit():
        return "by"
    if len(core) > _LONGEST:
        return _by_pieces(core, before, after)
    if words := _DOTLESS.get(core.lower()):
        return words
    if (words := speak_unit(core, before)) is not None:
        return words
    if any(char.isdigit() for char in core) and (words := _figure(core.lstrip("~≈"), before, after)):
        return words
    if core in _ROMAN and before[:1].isupper():
        return _ROMAN[core]
    return _initials(core) or _address(core) or _by_pieces(core, before, after)


def _figure(core: str, before: str, after: str) -> str | None:
    if words := speak_figure(core, (before, after)):
        return words
    span = re.fullmatch(r"([^-–]*\d[^-–]*)[-–]([^-–]*\d[^-–]*)", core)  # 3pm-5pm, $5-$10
    ends = [speak_figure(part, ("", "")) for part in span.groups()] if span else [None]
    return " to ".join(filter(None, ends)) if all(ends) else None


def _address(core: str) -> str | None:
    if match := _EMAIL.fullmatch(core):
        return f"{_dotted(match['name'])} at {_dotted(match['host'])}"
    if match := _ADDRESS.fullmatch(core) or _FILE_OR_HOST.fullmatch(core):
        return _dotted(match["host"] if match["host"] else match["file"])
    return None


def _dotted(name: str) -> str:
    name = name.lower().removeprefix("www.") if "." in name else name
    return " dot ".join(_by_pieces(part, "", "") for part in name.split(".") if part)


def _by_pieces(core: str, before: str, after: str) -> str:
    """Letters, figures and symbols of a mixed token, spoken one after the other."""
    pieces = _PIECES.findall(core)
    said: list[str] = []
    for index, piece in enumerate(pieces):
        left = pieces[index - 1] if index else before
        right = pieces[index + 1] if index + 1 < len(pieces) else after
        said.append(_piece(piece, left, right))
    return re.sub(r" +,", ",", " ".join(filter(None, said))).strip(" ,")


def _piece(piece: str, left: str, right: str) -> str:
    if piece[0].isalpha() and piece not in _SYMBOLS:
        return piece
    if piece[0].isdigit():
        return speak_figure(piece, ("", "")) or digits(piece)
    between_digits = left[-1:].isdigit() and right[:1].isdigit()
    if piece in "*/-" and between_digits:
        return {"*": "times", "/": "over", "-": "minus"}[piece]
    if piece == "/":
        return "or" if left.islower() and right.islower() else ""
    if piece == "#":
        return "hashtag" if right[:1].isalpha() else ""
    if piece == "-":
        return "minus" if right[:1].isdigit() and not left else ""
    if piece[0] in "–—" or piece[:2] in ("--", ".."):
        return ","
    return "," if piece in ",;:" else _SYMBOLS.get(piece, "")
