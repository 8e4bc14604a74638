"""Sums of money -> words: signs and codes before or behind the amount, thousands and millions, ranges."""

import re

from a2llm.language.number_words import canonical, cardinal, decimal
from a2llm.language.spoken_codes import Context
from a2llm.language.spoken_tables import CURRENCIES, CURRENCY, MAGNITUDE_WORDS, MAGNITUDES, NUM

_MAGNITUDE = "(?:[kKmMbBtT]|bn|mn|tn)"
_MONEY = re.compile(
    rf"(?P<sign>[-−–+]?)(?:(?P<symbol>{CURRENCY})\.? ?(?P<minus>[-−]?)(?P<amount>{NUM})(?P<magnitude>{_MAGNITUDE})?"
    rf"|(?P<amount2>{NUM})(?P<magnitude2>{_MAGNITUDE})? ?(?P<symbol2>{CURRENCY}))"
)
_RANGE = re.compile(
    rf"(?P<symbol>{CURRENCY})\.? ?(?P<low>{NUM})(?P<first>{_MAGNITUDE})?[-–](?:{CURRENCY})?(?P<high>{NUM})(?P<magnitude>{_MAGNITUDE})?"
    rf"|(?P<low2>{NUM})[-–](?P<high2>{NUM})(?P<magnitude2>{_MAGNITUDE})? ?(?P<symbol2>{CURRENCY})"
)


def speak_money(text: str, context: Context) -> str | None:
    """Words for a sum, or None where it is none. A million that follows is said first: `$4 million`, four million dollars."""
    if match := _MONEY.fullmatch(text):
        symbol, amount = match["symbol"] or match["symbol2"], match["amount"] or match["amount2"]
        sign = "minus " if match["minus"] or (match["sign"] in ("-", "−", "–") and match["sign"]) else ""
        return sign + _sum(amount, match["magnitude"] or match["magnitude2"], symbol, context)
    if match := _RANGE.fullmatch(text):
        low, high = match["low"] or match["low2"], match["high"] or match["high2"]
        magnitude = match["magnitude"] or match["magnitude2"]
        first = f" {MAGNITUDES[match['first'].lower()]}" if match["first"] and match["first"] != magnitude else ""
        said = _sum(high, magnitude, match["symbol"] or match["symbol2"], context, many=True)
        return f"{decimal(low)}{first} to {said}"
    return None


def currency_behind(core: str, sign: str | None) -> str | None:
    """Words of a token behind an amount: `million` behind $4, where `sign` is the amount's; `EUR` behind 5-10 or million."""
    if sign:
        return f"{core} {CURRENCIES[sign][1]}" if core.lower() in MAGNITUDE_WORDS else None
    return CURRENCIES[core][1] if core in CURRENCIES else None


def _sum(amount: str, magnitude: str | None, symbol: str, context: Context, many: bool = False) -> str:
    one, plural, cent, cents = CURRENCIES[symbol]
    if magnitude:
        return f"{decimal(amount)} {MAGNITUDES[magnitude.lower()]} {plural}"
    if context.after.lower().rstrip(".,;:!?*_)") in MAGNITUDE_WORDS:
        return decimal(amount)  # the magnitude's token says the currency
    whole, _, part = canonical(amount).partition(".")
    if len(part) != 2 or not cent:
        return f"{decimal(amount)} {one if amount == '1' and not many else plural}"
    said = [f"{cardinal(int(whole or 0))} {one if whole == '1' else plural}"] if int(whole or 0) or not int(part) else []
    if int(part):
        said.append(f"{cardinal(int(part))} {cent if int(part) == 1 else cents}")
    return " and ".join(said)
