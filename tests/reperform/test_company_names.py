"""Rule C4, twice: landing and the second route take the same names for one company's."""

from __future__ import annotations

import random

import pytest

from slaledger.feeds.values import company_key
from slaledger.reperform.claims import compared

NAMES = 400  # a seed
# Letters that fold into several, compose, or are compatible with others; marks; digits of all kinds; signs; spaces.
CHARACTERS = (
    *"aAzZß ẞſıİΐΰǰŉẖẚﬁﬆΣςσᾳᾼΩÅçÇéÉёЁѐ",
    *"\u0300\u0301\u0307\u0308\u030c\u0327\u0345\u05b0\u200d\u00ad",
    *"東京가각\u1100\u1161\u11a8ｱｲﾞめ゛",
    *"04²½Ⅷⅷ①٣९",
    *"&+-.,'’·・ 　\t🙂™№㎏",
)


@pytest.mark.parametrize("seed", range(5))
def test_both_routes_compare_the_same_of_a_name(seed):
    rng = random.Random(seed)
    names = ["".join(rng.choices(CHARACTERS, k=rng.randint(1, 5))) for _ in range(NAMES)]
    assert [(name, "".join(compared(name))) for name in names] == [(name, company_key(name)) for name in names]
    pairs = [(one, rng.choice([one.upper(), one.lower(), f"{one}-", one + rng.choice(CHARACTERS)])) for one in names]
    same = [(one, other) for one, other in pairs if company_key(one) == company_key(other)]
    assert [(one, other) for one, other in pairs if compared(one) == compared(other)] == same
    assert NAMES // 10 < len(same) < NAMES * 9 // 10
