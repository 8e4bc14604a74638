"""Mixed tokens -> words: letters, figures and symbols one after the other, addresses of the web and of people, files."""

import re

from a2llm.language.number_words import digits
from a2llm.language.spoken_codes import Context
from a2llm.language.spoken_numbers import speak_figure
from a2llm.language.spoken_tables import CURRENCIES, table

SYMBOLS = table(
    """
    & and; + plus; = equals; @ at; % percent; × times; ÷ divided by; ° degrees; < less than; > more than; ≤ at most; ≥ at least;
    ≠ is not; ≈ about; → to; -> to; => to; ^ to the; √ square root of; ∞ infinity; ± plus or minus; № number; § section; ‰ per mille;
    − minus
    """
) | {sign: names[1] for sign, names in CURRENCIES.items() if len(sign) == 1}
_ADDRESS = re.compile(
    r"(?:https?://)?(?:www\.)?(?P<host>[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:com|org|net|edu|gov|io|ai|co|uk|de|dev|app|info|eu|us|tv|me|ca|fr|nl|es|jp|cn|ch|au|nz|br|ru|pl))"
    r"(?::\d+)?(?:[/?#]\S*)?",
    re.I,
)
_FILE_OR_HOST = re.compile(r"https?://(?P<host>[^/\s?#:]+)\S*|(?P<file>[A-Za-z][\w-]*(?:\.[a-z]\w{0,4})+)")
_EMAIL = re.compile(r"(?P<name>[\w.+-]+)@(?P<host>[\w-]+(?:\.[\w-]+)+)")
_PIECES = re.compile(
    r"[^\W\d_]+(?:'[^\W\d_]+)*(?:-[^\W\d_]+(?:'[^\W\d_]+)*)*"
    r"|\d+(?:st|nd|rd|th)\b|(?:\d0|\d{3}0)s\b|(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])|\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?|[-=]>|[-–—]{2,}|[–—]|\.{2,}|."
)


def speak_address(core: str) -> str | None:
    """Words for an e-mail address, a link or a file name; None for anything else."""
    if match := _EMAIL.fullmatch(core):
        return f"{_dotted(match['name'])} at {_dotted(match['host'])}"
    if match := _ADDRESS.fullmatch(core) or _FILE_OR_HOST.fullmatch(core):
        return _dotted(match["host"] if match["host"] else match["file"])
    return None


def _dotted(name: str) -> str:
    name = name.lower().removeprefix("www.") if "." in name else name
    return " dot ".join(speak_pieces(part, "", "") for part in name.split(".") if part)


def speak_pieces(core: str, before: str, after: str) -> str:
    """Letters, figures and symbols of a mixed token, spoken one after the other."""
    pieces = _PIECES.findall(core)
    sum_ = re.search(r"[=*+^()]", core) is not None
    said: list[str] = []
    for index, piece in enumerate(pieces):
        left = pieces[index - 1] if index else before
        right = pieces[index + 1] if index + 1 < len(pieces) else after
        said.append(_piece(piece, left, right, sum_, re.search(r"-\d", core) is not None))
    return re.sub(r" +,", ",", " ".join(filter(None, said))).strip(" ,")


def _piece(piece: str, left: str, right: str, in_sum: bool, has_figures: bool) -> str:
    if piece[0].isalpha() and piece not in SYMBOLS:
        return piece
    if piece[0].isdigit():
        return speak_figure(piece, Context("-", "-")) or digits(piece)
    between_figures = (left[-1:].isdigit() or left[-1:] == ")") and (right[:1].isdigit() or right[:1] == "(")
    if piece in "*/" and between_figures:
        return {"*": "times", "/": "over"}[piece]
    if piece == "/":
        return "or" if left.islower() and right.islower() else ""
    if piece == "#":  # #tag, but order #A-10234
        return ("number" if has_figures else "hashtag") if right[:1].isalpha() else ""
    if piece in ("-", "−"):
        return "minus" if right[:1].isdigit() and (not left or left[-1:] in "^*/(=<>+" or (in_sum and between_figures)) else ""
    if piece[0] in "–—" or piece[:2] in ("--", ".."):
        return ","
    return "," if piece in ",;:" else SYMBOLS.get(piece, "")
