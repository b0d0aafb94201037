"""Ed25519 signatures as in RFC 8032, section 5.1: verification only, and strict.

Nothing here is secret, so nothing needs to take the same time whatever its input. Refused are points and numbers that
are not written in the one way that the RFC gives (5.1.3, 5.1.7), and keys of small order, under which one signature
could pass for several texts. The equation is the one without the cofactor, as in OpenSSL and Go.
"""

from functools import lru_cache
from hashlib import sha512

KEY_BYTES = 32
SIGNATURE_BYTES = 64

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT_OF_MINUS_ONE = pow(2, (_P - 1) // 4, _P)

_Point = tuple[int, int, int, int]
"""X, Y, Z, T with x = X/Z, y = Y/Z, xy = T/Z (5.1.4)."""
_Table = list[list[_Point]]
"""Row i holds 0 to 15 times 16**i times one point."""
_ZERO: _Point = (0, 1, 1, 0)
_DIGITS = 64
"""A number below 2**256 in digits of 4 bits."""


def verify(key: bytes, text: bytes, signature: bytes) -> bool:
    """Whether this signature of this text was made with the private half of this key (5.1.7)."""
    if len(signature) != SIGNATURE_BYTES:
        return False
    table = _key_table(bytes(key))
    s = int.from_bytes(signature[32:], "little")
    if table is None or s >= _ORDER:
        return False
    k = int.from_bytes(sha512(signature[:32] + key + text).digest(), "little") % _ORDER
    # [S]B = R + [k]A, where the table is that of -A; R is compared as it is written, so that only one way passes
    return _written(_add(_times(_base_table(), s), _times(table, k))) == signature[:32]


def is_key(key: bytes) -> bool:
    """Whether these bytes are a public key: a point, written as it should be, and not of small order."""
    return _key_table(bytes(key)) is not None


def _add(p: _Point, q: _Point) -> _Point:
    """The sum of two points (5.1.4); the formulas are complete, so it doubles, too."""
    a = (p[1] - p[0]) * (q[1] - q[0]) % _P
    b = (p[1] + p[0]) * (q[1] + q[0]) % _P
    c = 2 * _D * p[3] * q[3] % _P
    d = 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _written(p: _Point) -> bytes:
    """A point as 32 bytes (5.1.2)."""
    z = pow(p[2], -1, _P)
    x, y = p[0] * z % _P, p[1] * z % _P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _read(data: bytes) -> _Point | None:
    """The point that 32 bytes stand for (5.1.3), or none."""
    if len(data) != KEY_BYTES:
        return None
    number = int.from_bytes(data, "little")
    sign, y = number >> 255, number & ((1 << 255) - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT_OF_MINUS_ONE % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _table(point: _Point) -> _Table:
    """The multiples that ``_times`` adds up: one key verifies many checkpoints."""
    rows: _Table = []
    for _ in range(_DIGITS):
        row = [_ZERO]
        for _ in range(15):
            row.append(_add(row[-1], point))
        rows.append(row)
        point = _add(row[-1], point)
    return rows


def _times(table: _Table, number: int) -> _Point:
    """A number of times the point of a table."""
    total = _ZERO
    for row in table:
        if digit := number & 15:
            total = _add(total, row[digit])
        number >>= 4
    return total


@lru_cache(maxsize=1)
def _base_table() -> _Table:
    """The table of the base point B (5.1)."""
    base = _read((4 * pow(5, -1, _P) % _P).to_bytes(32, "little"))
    assert base is not None  # noqa: S101 - a constant of the RFC: the x of B is even, its y is 4/5
    return _table(base)


@lru_cache(maxsize=32)
def _key_table(key: bytes) -> _Table | None:
    """The table of -A for a public key A; none where it is no key."""
    point = _read(key)
    if point is None:
        return None
    eightfold = _times(_table(point), 8)
    if eightfold[0] == 0:  # 8A is zero, or of order two, which it cannot be: A is of small order
        return None
    x, y, z, t = point
    return _table((-x % _P, y, z, -t % _P))
