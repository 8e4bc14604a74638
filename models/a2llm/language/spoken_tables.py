"""The vocabulary of written English: units, currencies, months, days, cues. Tables only; how they are used is said by their users."""

import re
import unicodedata


def table(text: str) -> dict[str, str]:
    """Reads `key value; key value; ...`: a key has no space, a value may have some. Keeps long tables on few lines."""
    return dict(entry.split(maxsplit=1) for entry in " ".join(text.split()).split("; "))


MONTHS = "January February March April May June July August September October November December".split()
MONTHS_SHORT = table(
    """
    Jan January; Feb February; Mar March; Apr April; Jun June; Jul July; Aug August; Sept September; Sep September; Oct October;
    Nov November; Dec December
    """
)
DAYS_SHORT = table(
    """
    Mon Monday; Tue Tuesday; Tues Tuesday; Wed Wednesday; Thu Thursday; Thur Thursday; Thurs Thursday; Fri Friday; Sat Saturday;
    Sun Sunday
    """
)
MAGNITUDES = table("k thousand; m million; mn million; b billion; bn billion; t trillion; tn trillion")
MAGNITUDE_WORDS = ("hundred", "thousand", "million", "billion", "trillion")
UNITS = table(
    """
    kg kilogram; g gram; mg milligram; km kilometer; m meter; cm centimeter; mm millimeter; mi mile; ft foot; yd yard; lb pound;
    lbs pound; oz ounce; mph mile per hour; mpg mile per gallon; km/h kilometer per hour; kmh kilometer per hour;
    kph kilometer per hour; m/s meter per second; ms millisecond; sec second; secs second; min minute; mins minute; hr hour; hrs hour;
    l liter; ml milliliter; cl centiliter; dl deciliter; tsp teaspoon; tbsp tablespoon; kb kilobyte; mb megabyte; gb gigabyte;
    tb terabyte; mbps megabit per second; gbps gigabit per second; hz hertz; khz kilohertz; mhz megahertz; ghz gigahertz; kw kilowatt;
    mw megawatt; kwh kilowatt hour; kcal kilocalorie; cal calorie; yr year; yrs year; wk week; wks week; m2 square meter;
    km2 square kilometer; cm2 square centimeter; mi2 square mile; m3 cubic meter; ft2 square foot; sqft square foot; ° degree;
    °c degree Celsius; °f degree Fahrenheit; hpa hectopascal; kpa kilopascal; psi psi; rpm rpm; bpm beat per minute; dpi dpi; db decibel
    """
)
ATTACHED_UNITS = UNITS | {"s": "second", "h": "hour", "in": "inch", "w": "watt", "v": "volt"}
CASED_UNITS = {"L": "liter", "W": "watt", "V": "volt"}  # single letters that are a unit in capitals, too: 5G is no mass, 5M no length
COMPASS = {"N": "north", "S": "south", "E": "east", "W": "west", "C": "Celsius", "F": "Fahrenheit"}  # behind degrees

# written sign or code; one, many; one hundredth, many. "-" where there are none.
_CURRENCIES = """
    $ dollar dollars cent cents; € euro euros cent cents; £ pound pounds penny pence; ¥ yen yen sen sen; ₹ rupee rupees paisa paise;
    ₩ won won - -; ₽ ruble rubles kopeck kopecks; ₺ lira lira kurus kurus; ₫ dong dong - -; ₦ naira naira kobo kobo;
    ₱ peso pesos centavo centavos; ฿ baht baht satang satang; ₪ shekel shekels agora agorot; ₴ hryvnia hryvnias kopeck kopecks;
    ₿ bitcoin bitcoins - -; ₸ tenge tenge - -; ₡ colon colones - -; ₲ guarani guaranies - -; ₵ cedi cedis - -; ₭ kip kip - -;
    ¢ cent cents - -; Rs rupee rupees paisa paise; R$ real reais centavo centavos; kr krona kronor - -; zł zloty zlotys grosz groszy;
    USD US_dollar US_dollars cent cents; US$ US_dollar US_dollars cent cents; EUR euro euros cent cents; GBP pound pounds penny pence;
    JPY yen yen - -; CHF Swiss_franc Swiss_francs centime centimes; CAD Canadian_dollar Canadian_dollars cent cents;
    C$ Canadian_dollar Canadian_dollars cent cents; CA$ Canadian_dollar Canadian_dollars cent cents;
    AUD Australian_dollar Australian_dollars cent cents; A$ Australian_dollar Australian_dollars cent cents;
    AU$ Australian_dollar Australian_dollars cent cents; NZD New_Zealand_dollar New_Zealand_dollars cent cents;
    NZ$ New_Zealand_dollar New_Zealand_dollars cent cents; HKD Hong_Kong_dollar Hong_Kong_dollars cent cents;
    HK$ Hong_Kong_dollar Hong_Kong_dollars cent cents; SGD Singapore_dollar Singapore_dollars cent cents;
    S$ Singapore_dollar Singapore_dollars cent cents; CNY yuan yuan - -; RMB yuan yuan - -; INR rupee rupees paisa paise;
    KRW won won - -; SEK Swedish_krona Swedish_kronor - -; NOK Norwegian_krone Norwegian_kroner - -; DKK Danish_krone Danish_kroner - -;
    PLN zloty zlotys grosz groszy; CZK Czech_koruna Czech_korunas - -; HUF forint forints - -; RUB ruble rubles kopeck kopecks;
    TRY lira lira kurus kurus; BRL real reais centavo centavos; MXN Mexican_peso Mexican_pesos centavo centavos; ZAR rand rand cent cents;
    ILS shekel shekels agora agorot; THB baht baht satang satang; BTC bitcoin bitcoins - -; AED dirham dirhams - -;
    SAR riyal riyals - -; NGN naira naira kobo kobo; IDR rupiah rupiah - -; VND dong dong - -
"""
CURRENCIES: dict[str, tuple[str, str, str, str]] = {}
for _entry in _CURRENCIES.split(";"):
    _sign, *_names = (word.replace("_", " ").replace("-", "") for word in _entry.split())
    CURRENCIES[_sign] = (_names[0], _names[1], _names[2], _names[3])

COUNTED = ("people", "men", "women", "children")  # plurals without s
NOT_COUNTED = ("is", "was", "has", "as", "plus", "minus", "times", "equals", "this", "us", "its")
YEAR_CUES = ("in", "since", "year", "by", "of", "until", "from", "before", "after", "around", *map(str.lower, MONTHS))
CODE_CUES = frozenset(
    """
    zip postcode postal pin code extension ext account tracking confirmation reservation booking invoice ticket serial passport id isbn
    password passcode routing order reference ref card phone tel telephone call dial mobile cell fax text contact hotline
    """.split()
)  # words before a number that is read digit by digit
CODE_LINKS = frozenset("number numbers code is was are no # the at on of your my our to us me in ending with it it's as id".split())
STATES = frozenset(
    """
    AL AK AZ AR CA CO CT DE FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT
    VT VA WA WV WI WY DC
    """.split()
)  # of the United States, before a ZIP code
RULERS = frozenset(
    """
    henry louis charles george james william edward richard elizabeth john paul francis pius leo gregory benedict philip frederick
    catherine peter alexander nicholas napoleon ramses ptolemy darius christian gustav carl harald haakon margrethe mary urban clement
    innocent felipe juan carlos albert leopold wilhelm friedrich otto ivan umberto victor emmanuel xavier
    """.split()
)  # Henry VIII: the eighth
PARTS = frozenset(
    """
    chapter part act scene volume book type phase section class level stage title article war episode season version appendix figure
    table unit lesson round
    """.split()
)  # Chapter V: five
VERSIONED = frozenset(
    "version python java node android ios macos ubuntu debian windows http tls usb php ruby go rust kubernetes gpt".split()
)

for _code in range(0x20A0, 0x20C1):  # the currency signs that have no entry go by their Unicode names
    if chr(_code) not in CURRENCIES and (_name := unicodedata.name(chr(_code), "").removesuffix(" SIGN").lower().replace("-", " ")):
        CURRENCIES[chr(_code)] = (_name, f"{_name}s", "", "")

_THOUSANDS = (
    r"\d{1,3}(?:\.\d{3})+,\d+|\d{1,3}(?:\.\d{3}){2,}|\d{1,3}(?:[,']\d{2,3})*[,']\d{3}(?:\.\d+)?"  # 1.234,5; 1,234.5; 1'234; 12,34,567
)
NUM = rf"(?:{_THOUSANDS}|\d+,\d{{1,2}}(?!\d)|\d+(?:\.\d+)?|\.\d+)"  # or 2,5; 2.5; .5
CURRENCY = "(?:" + "|".join(re.escape(sign) for sign in sorted(CURRENCIES, key=len, reverse=True)) + ")"
