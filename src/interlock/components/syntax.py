"""The part of the ZEN expression language that we accept, read into a tree whose every node keeps its place. Pure.

The grammar is smaller than the engine's on purpose: what is left out is what can go wrong in silence (``null``,
assignment, templates, backslashes), and what two readers could take for two things (a comparison of a comparison,
``not`` before a comparison), which must be written with parentheses. So our reading and the engine's are the same;
``tests/property/test_expressions.py`` compares them.

    choice     = or [ "?" choice ":" choice ]
    or         = and { "or" and }
    and        = not { "and" not }
    not        = "not" primary | comparison
    comparison = sum [ ( "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in" ) sum ]
    sum        = product { ( "+" | "-" ) product }
    product    = sign { ( "*" | "/" ) sign }
    sign       = "-" primary | primary
    primary    = number [ currency ] | string | "true" | "false" | name | function "(" ... ")" | "(" choice ")" | list
    list       = "[" choice { "," choice } "]" | ( "[" | "(" ) sum ".." sum ( "]" | ")" )
    cell       = test { "," test }       a cell of a decision table; ``$`` stands for the column's value
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, get_args

from interlock.components.tree import (
    Binary,
    Call,
    Choice,
    Column,
    Current,
    Listed,
    Misread,
    Name,
    Negative,
    Node,
    Not,
    Operator,
    Range,
    Value,
)
from interlock.errors import MoneyInvalid
from interlock.money import Money

LONGEST = 2000
"""Characters of one expression."""
DEEPEST = 25
"""Levels of parentheses, lists and choices within each other."""
MOST_OPERATORS = 100
"""Operators in one expression."""

Mark = Literal["number", "string", "word", "symbol", "end"]


@dataclass(frozen=True, slots=True)
class Token:
    """One piece of the text."""

    at: int
    mark: Mark
    text: str


_TOKEN = re.compile(
    r"(?P<space>[ \t\r\n]+)|(?P<number>[0-9]+(?:\.[0-9]+)?)|(?P<word>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<string>'[^']*'|\"[^\"]*\")|(?P<symbol>\.\.|[<>=!]=|[-+*/<>()\[\],.?:$#])"
)
_PLAIN_NUMBER = re.compile(r"(0|[1-9][0-9]*)(\.[0-9]+)?\Z")
_MOST_DIGITS = 27
_CURRENCY = re.compile(r"[A-Z]{3}\Z")
WORDS = frozenset({"and", "or", "not", "in", "true", "false", "null"})
"""Words of the language itself, which cannot name anything."""
_COMPARISONS = ("==", "!=", "<=", ">=", "<", ">")


def tokens(text: str) -> tuple[Token, ...]:
    """Cut a text into its pieces; the last one is the end.

    Raises:
        Misread: too long, or a character that stands for nothing here.
    """
    if len(text) > LONGEST:
        raise Misread(f"it has {len(text):,} characters", LONGEST, f"at most {LONGEST:,} are read; split it")
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _no_token(text, at)
        if match.lastgroup != "space":
            found.append(_token(match))
        at = match.end()
    return (*found, Token(len(text), "end", ""))


def _token(match: re.Match[str]) -> Token:
    text, at = match.group(), match.start()
    if match.lastgroup == "number":
        if not _PLAIN_NUMBER.match(text):
            raise Misread(f"{text!r} starts with a needless 0", at, "write 1000 for a thousand, without a comma")
        if len(text.replace(".", "")) > _MOST_DIGITS:
            raise Misread(f"{text!r} has too many digits", at, f"at most {_MOST_DIGITS} are exact")
        following = match.string[match.end() : match.end() + 1]
        if following.isalnum() or following == "_":
            raise Misread(f"{text + following!r} is no number", at, "write plain digits, such as 1000.50")
        return Token(at, "number", text)
    if match.lastgroup == "string":
        if "\\" in text or any(ord(character) < ord(" ") for character in text):
            what = f"the string {text!r} holds a backslash or a line break"
            raise Misread(what, at, "leave it out: nothing is escaped")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise Misread(f"the string {text!r} holds half a surrogate pair", at, "write the character whole")
    marks: dict[str | None, Mark] = {"word": "word", "string": "string"}
    return Token(at, marks.get(match.lastgroup, "symbol"), text)


def _no_token(text: str, at: int) -> Misread:
    sign = text[at]
    if sign in "'\"":
        return Misread(f"the string that starts with {text[at : at + 20]!r} does not end", at, f"add a {sign}")
    advice = {
        "=": "write == to compare",
        "&": "write and",
        "|": "write or",
        "!": "write not, or !=",
        "`": "write the string in quotes",
        "≥": "write >=",
        "≤": "write <=",
        "≠": "write !=",
    }
    return Misread(f"{sign!r} means nothing here", at, advice.get(sign, "remove it, or put text in quotes"))


class Parser:
    """Reads one text from left to right; ``unary`` allows ``$``, ``money`` allows amounts such as ``100 MYR``."""

    def __init__(self, text: str, *, unary: bool = False, money: bool = False) -> None:
        self._tokens = tokens(text)
        self._next = 0
        self._depth = 0
        self._operators = 0
        self._unary = unary
        self._money = money

    def expression(self) -> Node:
        """The whole text as one expression."""
        node = self._choice()
        self._end()
        return node

    def cell(self) -> tuple[Node, ...]:
        """The whole text as the tests of a cell, any of which may hold; each is a condition on ``$``."""
        tests = [self._test()]
        while self._take(","):
            tests.append(self._test())
        self._end()
        return tuple(tests)

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _take(self, *texts: str) -> Token | None:
        token = self._token
        if token.mark in ("symbol", "word") and token.text in texts:
            self._next += 1
            self._operators += token.text in _OPERATORS
            if self._operators > MOST_OPERATORS:
                raise Misread(f"more than {MOST_OPERATORS} operators", token.at, "split it")
            return token
        return None

    def _expect(self, text: str, todo: str) -> Token:
        token = self._take(text)
        if token is None:
            raise self._unexpected(todo)
        return token

    def _unexpected(self, todo: str) -> Misread:
        token = self._token
        what = "it ends too early" if token.mark == "end" else f"{token.text!r} cannot stand here"
        return Misread(what, token.at, todo)

    def _end(self) -> None:
        if self._token.mark != "end":
            raise self._unexpected("remove it, or join the parts with and, or, or parentheses")

    def _test(self) -> Node:
        """One alternative of a cell: tests joined by ``and``, or an expression about ``$``."""
        current = Current(self._token.at)
        node = self._simple_test(current)
        while token := self._take("and"):
            node = Binary(token.at, "and", node, self._simple_test(current))
        if self._token.text == "or" and self._token.mark == "word":
            raise self._unexpected("write a comma between alternatives")
        return node

    def _simple_test(self, current: Current) -> Node:
        if token := self._take(*_COMPARISONS):
            return Binary(token.at, _operator(token.text), current, self._sum())
        if membership := self._membership():
            return Binary(membership.at, _operator(membership.text), current, self._members())
        at = self._token.at
        if self._token.text == "not" and self._token.mark == "word":
            return self._not()
        node = self._comparison()
        if isinstance(node, Range):
            return Binary(at, "in", current, node)
        if isinstance(node, (Value, Negative)):
            return Binary(at, "==", current, node)
        return node

    def _choice(self) -> Node:
        test = self._or()
        if (token := self._take("?")) is None:
            return test
        self._deeper(token.at)
        then = self._choice()
        self._expect(":", "write test ? value : other value")
        otherwise = self._choice()
        self._depth -= 1
        return Choice(token.at, test, then, otherwise)

    def _or(self) -> Node:
        node = self._and()
        while token := self._take("or"):
            node = Binary(token.at, "or", node, self._and())
        return node

    def _and(self) -> Node:
        node = self._not()
        while token := self._take("and"):
            node = Binary(token.at, "and", node, self._not())
        return node

    def _not(self) -> Node:
        if (token := self._take("not")) is None:
            return self._comparison()
        operand = self._primary()
        if self._token.text in (*_COMPARISONS, "in", "not", "+", "-", "*", "/"):
            raise self._unexpected("put what not applies to in parentheses: not (a == b)")
        return Not(token.at, operand)

    def _comparison(self) -> Node:
        left = self._sum()
        if token := self._take(*_COMPARISONS):
            node = Binary(token.at, _operator(token.text), left, self._sum())
        elif token := self._membership():
            node = Binary(token.at, _operator(token.text), left, self._members())
        else:
            return left
        if self._token.text in (*_COMPARISONS, "in"):
            raise self._unexpected("compare two things at a time: a < b and b < c")
        return node

    def _membership(self) -> Token | None:
        if token := self._take("in"):
            return token
        following = self._tokens[min(self._next + 1, len(self._tokens) - 1)]
        if self._token.text == "not" and self._token.mark == "word" and following.text == "in":
            token = self._token
            self._next += 2
            return Token(token.at, "word", "not in")
        return None

    def _members(self) -> Node:
        node = self._primary()
        if isinstance(node, (Listed, Range, Name, Column)):
            return node
        raise Misread("after in stands no list", node.at, "write in [1..5] or in ['a', 'b']")

    def _sum(self) -> Node:
        node = self._product()
        while token := self._take("+", "-"):
            node = Binary(token.at, _operator(token.text), node, self._product())
        return node

    def _product(self) -> Node:
        node = self._sign()
        while token := self._take("*", "/"):
            node = Binary(token.at, _operator(token.text), node, self._sign())
        return node

    def _sign(self) -> Node:
        if (token := self._take("-")) is None:
            return self._primary()
        operand = self._primary()
        if isinstance(operand, Value) and isinstance(operand.value, Money):
            return Value(token.at, Money(-operand.value.amount, operand.value.currency))
        return Negative(token.at, operand)

    def _primary(self) -> Node:
        token = self._token
        self._next += token.mark != "end"
        if token.mark == "number":
            return self._number(token)
        if token.mark == "string":
            return Value(token.at, token.text[1:-1])
        if token.mark == "word":
            return self._word(token)
        if token.text == "$" and self._unary:
            return Current(token.at)
        if token.text in ("(", "["):
            return self._bracket(token)
        self._next = self._tokens.index(token)
        raise self._unexpected("write a number, a name, a string in quotes, or an expression in parentheses")

    def _number(self, token: Token) -> Node:
        following = self._token
        if following.mark != "word" or not _CURRENCY.match(following.text):
            return Value(token.at, Decimal(token.text))
        if not self._money:
            raise Misread(
                f"{token.text} {following.text} is an amount of money",
                token.at,
                "compare the amount, then the currency",
            )
        self._next += 1
        try:
            return Value(token.at, Money(token.text, following.text))
        except MoneyInvalid as cause:
            raise Misread(cause.what, token.at, cause.todo) from cause

    def _word(self, token: Token) -> Node:
        if token.text in ("true", "false"):
            return Value(token.at, token.text == "true")
        if token.text in WORDS:
            raise Misread(
                f"{token.text!r} cannot stand here",
                token.at,
                "write a name or a value; missing values are no null here",
            )
        if self._take("("):
            return self._call(token)
        path = [token.text]
        while self._take("."):
            if self._token.mark != "word":
                raise self._unexpected("write the name of a field after the point")
            path.append(self._token.text)
            self._next += 1
        return Name(token.at, tuple(path))

    def _call(self, token: Token) -> Node:
        self._deeper(token.at)
        arguments: list[Node] = []
        while not self._take(")"):
            if arguments:
                self._expect(",", "write a comma between the arguments, or a closing parenthesis")
            if token.text == "map" and arguments and self._take("#"):
                self._depth -= 1
                return self._column(token, arguments[0])
            arguments.append(self._choice())
        self._depth -= 1
        return Call(token.at, token.text, tuple(arguments))

    def _column(self, token: Token, rows: Node) -> Node:
        form = "write map(rows, #.column)"
        self._expect(".", form)
        if self._token.mark != "word" or not isinstance(rows, Name):
            raise self._unexpected(form)
        column = self._token.text
        self._next += 1
        self._expect(")", form)
        return Column(token.at, rows, column)

    def _bracket(self, opening: Token) -> Node:
        self._deeper(opening.at)
        first = self._choice()
        if self._take(".."):
            high = self._sum()
            closing = self._take("]", ")")
            if closing is None:
                raise self._unexpected("close the range with ] or )")
            node: Node = Range(opening.at, first, high, opening.text == "[", closing.text == "]")
        elif opening.text == "(":
            self._expect(")", "close the parenthesis")
            node = first
        else:
            items = [first]
            while self._take(","):
                items.append(self._choice())
            self._expect("]", "write a comma between the values, or close the list with ]")
            node = Listed(opening.at, tuple(items))
        self._depth -= 1
        return node

    def _deeper(self, at: int) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Misread(f"nested more than {DEEPEST} deep", at, "split it")


_OPERATORS: dict[str, Operator] = {operator: operator for operator in get_args(Operator)}


def _operator(text: str) -> Operator:
    return _OPERATORS[text]
