"""Mutants of a compiled model: its text with one place changed, by the positions that sqlglot's tokenizer gives.

The text is edited, not written anew from a syntax tree: what is not mutated stays the model's, letter by letter.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot.tokens import Token

COMPARISONS = {
    "=": ("<>",),
    "<>": ("=",),
    "<": ("<=", ">"),
    "<=": ("<", ">="),
    ">": (">=", "<"),
    ">=": (">", "<="),
}
TESTS = {("is", "not"): "is", ("is",): "is not", ("not", "in"): "in", ("in",): "not in"}
CONNECTIVES = {"and": "or", "or": "and"}
FRAME_ENDS = {"preceding", "following", "current"}  # `rows between … and 1 preceding` connects nothing
BOOLEANS = {"true": "false", "false": "true"}
JOINS = {
    ("inner", "join"): "left outer join",
    ("left", "outer", "join"): "inner join",
    ("full", "outer", "join"): "left outer join",
}
# Of numbers, instants and ranges alike: `*` is the intersection of ranges, `+` their union, `&&` whether they overlap.
ARITHMETIC = {"+": "-", "-": "+", "*": "+", "&&": "-|-", "@>": "<@", "<@": "@>"}
EXTREMES = {"least": "greatest", "min": "max", "bool_or": "bool_and", "every": "bool_or"}
EXTREMES |= {"greatest": "least", "max": "min", "bool_and": "bool_or"}
DIRECTIONS = {"asc": "desc", "desc": "asc"}
NULLS = {("nulls", "last"): "nulls first", ("nulls", "first"): "nulls last"}
# Words that end an item of `order by`, at the item's own depth.
AFTER_ORDER_ITEM = frozenset((",", ")", "asc", "desc", "nulls", "rows", "range", "groups", "limit", "offset", "union"))
# What is left of a call without its rounding: {0} is its first argument, {1} its second.
ROUNDINGS = {"round": "{0}", "trunc": "{0}", "floor": "{0}", "ceil": "{0}", "div": "({0}) / ({1})", "date_trunc": "{1}"}
# Words that end the item of a join, at the item's own depth.
AFTER_JOIN_ITEM = frozenset(
    (
        *(",", ")", "inner", "left", "right", "full", "cross", "join", "on", "where", "group", "having", "order"),
        *("limit", "window", "union", "except", "intersect"),
    )
)


@dataclass(frozen=True)
class Mutant:
    """One change of one model. `key` names it for as long as its line reads the same."""

    model: str
    operator: str  # comparison, connective, literal, join, case arm, rounding; arithmetic, extreme, fallback, order
    line: int  # of the compiled SQL, from 1
    key: str
    sql: str


@dataclass(frozen=True)
class Edit:
    """Characters `[start, end)` of a text become `new`."""

    operator: str
    start: int
    end: int
    new: str


def mutants(model: str, sql: str) -> list[Mutant]:
    """All mutants of a model's compiled SQL, in the order of their places."""
    tokens = _tokens(sql)
    places = _ctes(tokens)
    found, seen = [], Counter()
    for edit in sorted(_edits(sql, tokens), key=lambda edit: (edit.start, edit.end, edit.new)):
        cte = next((name for start, end, name in places if start <= edit.start < end), "")
        key = f"{model}.{cte}: {_in_line(sql, edit)}"
        seen[key] += 1
        found.append(
            Mutant(
                model=model,
                operator=edit.operator,
                line=sql.count("\n", 0, edit.start) + 1,
                key=key if seen[key] == 1 else f"{key} #{seen[key]}",
                sql=sql[: edit.start] + edit.new + sql[edit.end :],
            )
        )
    return found


def _tokens(sql: str) -> list[Token]:
    import sqlglot

    return sqlglot.tokenize(sql, read="postgres")


def _in_line(sql: str, edit: Edit) -> str:
    """The line of an edit with `[old → new]` in its place, blanks made one, what is long cut."""
    start = sql.rfind("\n", 0, edit.start) + 1
    end = sql.find("\n", edit.end) if "\n" in sql[edit.end :] else len(sql)
    old, new = (_cut(" ".join(text.split())) for text in (sql[edit.start : edit.end], edit.new))
    return " ".join(f"{sql[start : edit.start]}[{old} → {new}]{sql[edit.end : end]}".split())


def _cut(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"


def _ctes(tokens: Sequence[Token]) -> list[tuple[int, int, str]]:
    """Start, end and name of each common table expression of the outermost `with`."""
    found, depth, name, start = [], 0, "", 0
    for number, token in enumerate(tokens):
        if token.text == "(":
            before = [_word(each) for each in tokens[max(number - 2, 0) : number]]
            if depth == 0 and "as" in before:  # `name as (` or `name as materialized (`
                name, start = tokens[number - 1 - len(before[before.index("as") :])].text, token.start
            depth += 1
        elif token.text == ")":
            depth -= 1
            if depth == 0 and name:
                found.append((start, token.end, name))
                name = ""
    return found


def _edits(sql: str, tokens: Sequence[Token]) -> Iterator[Edit]:
    words = [_word(token) for token in tokens]
    for number, token in enumerate(tokens):
        yield from _operators(tokens, words, number)
        yield from _literals(tokens, words, number)
        yield from _join(sql, tokens, words, number)
        if words[number] == "case":
            yield from _arms(sql, tokens, words, number)
        if words[number] in ROUNDINGS and _text(tokens, number + 1) == "(":
            arguments, end = _arguments(sql, tokens, number + 1)
            new = "(" + ROUNDINGS[words[number]].format(*arguments) + ")"
            yield Edit("rounding", token.start, end, new)
        if words[number] in EXTREMES and _text(tokens, number + 1) == "(":
            yield Edit("extreme", token.start, token.end + 1, EXTREMES[words[number]])
        if words[number] == "coalesce":
            arguments, end = _arguments(sql, tokens, number + 1)
            yield Edit("fallback", token.start, end, f"({arguments[0]})")
        if words[number] == "order by":
            yield from _directions(sql, tokens, words, number)
        if (nulls := tuple(words[number : number + 2])) in NULLS:
            yield Edit("order", token.start, tokens[number + 1].end + 1, NULLS[nulls])


def _operators(tokens: Sequence[Token], words: Sequence[str], number: int) -> Iterator[Edit]:
    token, word = tokens[number], words[number]
    for new in COMPARISONS.get(word, ()):
        yield Edit("comparison", token.start, token.end + 1, new)
    if word in CONNECTIVES and not FRAME_ENDS & set(words[number + 1 : number + 3]):
        yield Edit("connective", token.start, token.end + 1, CONNECTIVES[word])
    if word == "not" and words[number - 1] != "is" and words[number + 1] not in ("in", "null", "materialized"):
        yield Edit("connective", token.start, token.end + 1, "")
    if word in ARITHMETIC and _ends_operand(tokens, words, number - 1):
        yield Edit("arithmetic", token.start, token.end + 1, ARITHMETIC[word])
    for pattern, new in TESTS.items():
        if tuple(words[number : number + len(pattern)]) == pattern and (word != "in" or words[number - 1] != "not"):
            yield Edit("comparison", token.start, tokens[number + len(pattern) - 1].end + 1, new)
            break


def _ends_operand(tokens: Sequence[Token], words: Sequence[str], number: int) -> bool:
    """Whether what follows a token is between two operands: neither a sign nor the `*` of all columns."""
    from sqlglot.tokens import TokenType

    operands = {TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.VAR, TokenType.NUMBER, *_quoted()}
    return tokens[number].token_type in operands or words[number] == "end" or words[number - 1] in (".", "::")


def _directions(sql: str, tokens: Sequence[Token], words: Sequence[str], number: int) -> Iterator[Edit]:
    """Each item of an `order by` in the other direction, but for what the rows are distinct on: it tells them apart."""
    depth, first, distinct_on = 0, number + 1, _distinct_on(sql, tokens, words, number)
    for place in range(number + 1, len(tokens) + 1):
        word = words[place] if place < len(tokens) else ")"
        if depth == 0 and word in AFTER_ORDER_ITEM:
            if sql[tokens[first].start : tokens[place - 1].end + 1] in distinct_on:
                pass
            elif word in DIRECTIONS:
                yield Edit("order", tokens[place].start, tokens[place].end + 1, DIRECTIONS[word])
            elif words[place - 1] not in (*DIRECTIONS, "first", "last"):
                yield Edit("order", tokens[place - 1].end + 1, tokens[place - 1].end + 1, " desc")
            if word == ",":
                first = place + 1
            elif word not in (*DIRECTIONS, "nulls"):
                return
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(word, 0)


def _distinct_on(sql: str, tokens: Sequence[Token], words: Sequence[str], number: int) -> list[str]:
    """What the query that an `order by` ends is distinct on, if it is."""
    depth = 0
    for place in range(number - 1, -1, -1):
        depth += {")": 1, "(": -1}.get(words[place], 0)
        if depth < 0 or (depth == 0 and words[place] == "select"):
            break
    return _arguments(sql, tokens, place + 3)[0] if words[place + 1 : place + 3] == ["distinct", "on"] else []


def _literals(tokens: Sequence[Token], words: Sequence[str], number: int) -> Iterator[Edit]:
    from sqlglot.tokens import TokenType

    token = tokens[number]
    if token.token_type == TokenType.NUMBER:
        for new in _beside(token.text):
            yield Edit("literal", token.start, token.end + 1, new)
    elif token.token_type == TokenType.STRING and number and words[number - 1] == "interval":
        for amount in re.finditer(r"\d+", token.text):
            start = token.start + 1 + amount.start()
            for new in _beside(amount.group()):
                yield Edit("literal", start, start + len(amount.group()), new)
    elif words[number] in BOOLEANS and _text(tokens, number - 1) not in ("is", "not"):
        yield Edit("literal", token.start, token.end + 1, BOOLEANS[words[number]])


def _beside(number: str) -> tuple[str, str]:
    from decimal import Decimal

    value = Decimal(number)
    return str(value + 1), str(value - 1) if value >= 1 else f"({value - 1})"


def _join(sql: str, tokens: Sequence[Token], words: Sequence[str], number: int) -> Iterator[Edit]:
    for pattern, new in JOINS.items():
        if tuple(words[number : number + len(pattern)]) == pattern:
            yield Edit("join", tokens[number].start, tokens[number + len(pattern) - 1].end + 1, new)
    # A plain cross join is with a table of one row, which every type of join finds.
    if tuple(words[number : number + 3]) == ("cross", "join", "lateral"):
        depth, last = 0, number + 1
        for place in range(number + 2, len(tokens)):
            if depth == 0 and words[place].split(" ")[0] in AFTER_JOIN_ITEM:
                break
            depth += {"(": 1, ")": -1}.get(words[place], 0)
            last = place
        start, end = tokens[number].start, tokens[last].end + 1
        item = sql[tokens[number + 2].start : end]
        yield Edit("join", start, end, f"left outer join {item} on true")


def _arms(sql: str, tokens: Sequence[Token], words: Sequence[str], number: int) -> Iterator[Edit]:
    """Each arm made one that never applies, and the `else` gone."""
    is_simple = words[number + 1] != "when"
    depth, cases, condition = 0, 0, None
    for place in range(number + 1, len(tokens)):
        word = words[place]
        if word == "case":
            cases += 1
        elif word == "end" and cases:
            cases -= 1
        elif cases or depth:
            pass
        elif word == "when":
            condition = tokens[place + 1].start
        elif word == "then":
            yield Edit("case arm", condition, tokens[place - 1].end + 1, "null" if is_simple else "false")
        elif word == "else":
            condition = tokens[place].start
            following = _end_of_case(words, place)
            yield Edit("case arm", condition, tokens[following - 1].end + 1, "")
        elif word == "end":
            return
        depth += {"(": 1, ")": -1}.get(word, 0)


def _end_of_case(words: Sequence[str], start: int) -> int:
    cases = 0
    for place in range(start, len(words)):
        if words[place] == "case":
            cases += 1
        elif words[place] == "end":
            if not cases:
                return place
            cases -= 1
    raise ValueError("a case without an end")


def _arguments(sql: str, tokens: Sequence[Token], number: int) -> tuple[list[str], int]:
    """The texts between the parentheses that open at a token, and where the call ends."""
    depth, start, found = 0, tokens[number].end + 1, []
    for token in tokens[number:]:
        if token.text in ("(", "["):
            depth += 1
        elif token.text in (")", "]"):
            depth -= 1
        if depth == 0 or (depth == 1 and token.text == ","):
            found.append(sql[start : token.start].strip())
            start = token.end + 1
        if depth == 0:
            return found, token.end + 1
    raise ValueError("a call without an end")


def _text(tokens: Sequence[Token], number: int) -> str:
    return _word(tokens[number]) if 0 <= number < len(tokens) else ""


@cache
def _quoted() -> frozenset:
    from sqlglot.tokens import TokenType

    return frozenset({TokenType.STRING, TokenType.IDENTIFIER})


def _word(token: Token) -> str:
    """The token as written; a quoted one is no word."""
    return "" if token.token_type in _quoted() else token.text.lower()
