"""What names of columns suggest: identifiers, and facts that are public everywhere. Suggestions for a person, never applied unasked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

COUNTRIES = (
    "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL "
    "CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU "
    "GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC "
    "MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT "
    "PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA "
    "UG UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW"
)
"""ISO 3166-1, two letters."""
CURRENCIES = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE "
    "CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS "
    "KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR "
    "PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD "
    "TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG"
)
"""ISO 4217, those of countries."""
CHAPTERS = "I II III IV V VI VII VIII IX X XI XII XIII XIV XV XVI XVII XVIII XIX XX XXI XXII"
"""ICD-10."""
_PEOPLE = "customer|patient|account|client|member|subject|person|household|card|policy|invoice|order|case|record|encounter|user|employee"
_IDENTIFIER = re.compile(
    rf"(.* )?(id|uuid|guid|identifier|ssn|mrn|iban|email|phone|mobile|surname)|(.* )?({_PEOPLE}) (no|nr|nbr|num|number|key)"
    r"|(.* )?(first|last|full|family|given) name|firstname|lastname|e mail"
)
_ROW = re.compile(r"unnamed \d+|index level \d+|index|row ?(names?|numbers?|no|nr|id)")
_SUGGESTED: tuple[tuple[str, str, Mapping[str, Any], str], ...] = (
    (r"age|.* age|age .*years?", "ages of people in years", {"kind": "integer", "minimum": 0, "maximum": 120}, "age (group|band|class|range|cat.*)"),
    (r"(.* )?(percent|percentage|pct|perc)( .*)?", "percentages", {"kind": "float", "minimum": 0, "maximum": 100}, "-"),
    (r"(.* )?(probability|prob)", "probabilities", {"kind": "float", "minimum": 0, "maximum": 1}, "-"),
    (r"(.* )?(year|yr)( of .*)?", "calendar years", {"kind": "integer", "minimum": 1900, "maximum": 2100}, "age .*"),
    (r"(.* )?month", "months", {"kind": "integer", "minimum": 1, "maximum": 12}, "-"),
    (r"(.* )?hour", "hours of the day", {"kind": "integer", "minimum": 0, "maximum": 23}, "-"),
    (r"(.* )?(lat|latitude)", "degrees", {"kind": "float", "minimum": -90, "maximum": 90}, "-"),
    (r"(.* )?(lon|lng|longitude)", "degrees", {"kind": "float", "minimum": -180, "maximum": 180}, "-"),
    (r"(.* )?(sex|gender)", "these codes (yours may be others: F and M, 1 and 2)", {"kind": "categorical", "labels": ["female", "male"]}, "-"),
    (r"(.* )?(country|nationality)( code)?", "ISO 3166 codes", {"kind": "categorical", "labels": COUNTRIES.split()}, "-"),
    (r"(.* )?(currency|ccy)( code)?", "ISO 4217 codes", {"kind": "categorical", "labels": CURRENCIES.split()}, "-"),
    (r"(.* )?zip 3( .*)?", "three digits of US ZIP codes", {"kind": "categorical", "labels": [f"{i:03}" for i in range(1000)]}, "-"),
    (r"(.* )?icd( 10)? chapter", "ICD-10 chapters", {"kind": "categorical", "labels": CHAPTERS.split()}, "-"),
)  # fmt: skip


def plain_name(name: str) -> str:
    """A column's name as lower-case words: `CustomerID`, `customer_id` and `customer id` are alike."""
    return " ".join(re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[^\W\d_A-Z]+|[A-Z]+|\d+", name)).lower()


def names_somebody(name: str) -> bool:
    """Whether a column is an identifier by its name."""
    return bool(_IDENTIFIER.fullmatch(plain_name(name)))


def numbers_rows(name: str) -> bool:
    """Whether a column is by its name the row number that some program wrote."""
    return bool(_ROW.fullmatch(plain_name(name)))


def suggested(name: str) -> tuple[str, Mapping[str, Any]] | None:
    """What a column holds if its name means what it says, and the entry for it that is public everywhere."""
    plain = plain_name(name)
    for pattern, what, entry, other in _SUGGESTED:
        if re.fullmatch(pattern, plain) and not re.fullmatch(other, plain):
            return what, entry
    return None
