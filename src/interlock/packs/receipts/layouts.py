"""Printing a made-up purchase as OCR words with boxes, in the ways that real shop receipts are laid out. Pure.

Randomness comes in as a seeded ``random.Random``. Words are cut at their first comma, as the real data's are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from decimal import ROUND_CEILING, Decimal
from random import Random

import msgspec

VENDORS: tuple[tuple[str, ...], ...] = (
    ("PHOENIX & GRIFFIN TRADING SDN BHD",),
    ("UNICORN STATIONERY SHOP",),
    ("MOONBASE HARDWARE ENTERPRISE",),
    ("DRAGON EGG RESTAURANT SDN BHD",),
    ("RESTORAN NAGA TERBANG",),
    ("YETI ICE CAFE SDN. BHD.",),
    ("SUNKEN CITY SEAFOOD", "RESTAURANT SDN BHD"),
    ("CLOUD SEVEN BOOK CO. (M)", "SDN BHD"),
    ("GOLDEN FLEECE TEXTILE MARKETING SDN BHD",),
    ("KEDAI PAPAN BULAN BIRU",),
    ("PERNIAGAAN IMAGINASI",),
    ("MERMAID MINI MARKET S/B",),
    ("TIME MACHINE CLOCK CENTRE SDN BHD",),
    ("FLYING CARPET TRANSPORT ENTERPRISE",),
    ("LABYRINTH TOYS TRADING",),
    ("PASARAYA PELANGI AJAIB SDN BHD",),
    ("CENTAUR SPORTS SDN BHD",),
    ("INVISIBLE INK PRINTING ENTERPRISE",),
    ("THIRTEENTH FLOOR BAKERY SDN BHD",),
    ("PERPETUAL MOTION AUTO PARTS SDN BHD",),
)
"""Names of nobody: creatures and things that do not exist. One entry may be printed on two lines."""

_ITEMS = (
    *("MILO AIS", "NASI LEMAK", "TEH TARIK", "ROTI CANAI", "PLASTIC BAG", "A4 PAPER 80GSM", "BALL PEN BLUE"),
    *("PAINT BRUSH 2", "LED BULB 9W", "GREEN TEA 500ML", "CABLE TIE 100PCS", "SUGAR 1KG", "NOTEBOOK A5"),
    *("WALL PLUG", "CURRY PUFF", "WATER 1.5L"),
)
_DATE_FORMS = ("%d/%m/%Y", "%d-%m-%Y", "%d/%m/%y", "%d %b %Y", "%d-%b-%Y", "%Y-%m-%d", "%d-%m-%y", "%d.%m.%Y")
_MARGIN = 30
_GST = Decimal("0.06")
_CENT = Decimal("0.01")
_FIVE_CENTS = Decimal("0.05")


class Purchase(msgspec.Struct, frozen=True):
    """What was bought; every amount is exact and they add up.

    Attributes:
        vendor: The lines of the vendor's name.
        number: A registration number.
        day: The day of the purchase.
        items: Name, quantity and unit price of each row.
        discount: What is taken off, zero or more.
    """

    vendor: tuple[str, ...]
    number: str
    day: date
    items: tuple[tuple[str, int, Decimal], ...]
    discount: Decimal

    @property
    def gross(self) -> Decimal:
        """The sum of the rows."""
        return sum((price * quantity for _, quantity, price in self.items), Decimal("0.00"))

    @property
    def net(self) -> Decimal:
        """After the discount, before rounding."""
        return self.gross - self.discount

    @property
    def total(self) -> Decimal:
        """What is owed in cash: rounded to five sen."""
        return ((self.net / _FIVE_CENTS).to_integral_value() * _FIVE_CENTS).quantize(_CENT)

    @property
    def tax(self) -> Decimal:
        """The 6 % tax that the total contains."""
        return (self.net * _GST / (1 + _GST)).quantize(_CENT)


class Sheet:
    """Words in rows from top to bottom; remembers where the next row goes."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.width = random.randrange(560, 960, 20)
        self._line = random.randrange(30, 44)
        self._top = random.randrange(40, 160)
        self.words: list[str] = []
        self.boxes: list[list[int]] = []

    @property
    def height(self) -> int:
        """The height of the image so far, with a margin."""
        return self._top + 2 * self._line

    def put(self, text: str, left: float, top: float, height: float) -> None:
        """One word at a place; cut at the first comma, nothing where nothing is left."""
        shown = text.partition(",")[0].strip()
        if shown:
            x0 = max(_MARGIN + round(left) + self._random.randint(-2, 2), 0)
            y0 = round(top) + self._random.randint(-1, 1)
            self.words.append(shown)
            self.boxes.append([x0, y0, x0 + max(round(len(text) * height * 0.52), 6), y0 + round(height)])

    def row(self, *columns: tuple[str, float]) -> None:
        """One row: texts with where each ends (0 to 1 of the width), or starts if negative."""
        tall = self._line * 0.8
        for text, place in columns:
            wide = len(text) * tall * 0.52
            self.put(text, -place * self.width if place <= 0 else place * self.width - wide, self._top, tall)
        self._top += self._line

    def centre(self, text: str) -> None:
        """One centred row."""
        tall = self._line * 0.85
        self.put(text, (self.width - len(text) * tall * 0.52) / 2, self._top, tall)
        self._top += self._line

    def gap(self) -> None:
        """Half a row of nothing."""
        self._top += self._line // 2


def draw_purchase(random: Random, day: date, *, least: int, most: int) -> Purchase:
    """A purchase with a total from ``least`` to below ``most`` ringgit."""
    vendor = random.choice(VENDORS)
    number = f"({random.randrange(900000, 999999)}-{random.choice('XTWMK')})"
    while True:
        # Most receipts have one to four rows; the price of a row follows from what the rows should come to.
        count = random.choice((1, 1, 2, 2, 3, 4, 6))
        aim = random.uniform(least, most) / count
        items = tuple(
            (random.choice(_ITEMS), quantity, (Decimal(random.uniform(0.5, 1.5) * aim) / quantity).quantize(_CENT))
            for quantity in (random.choice((1, 1, 1, 2, 3)) for _ in range(count))
        )
        discount = random.choice((Decimal("0.00"),) * 5 + (Decimal("1.00"), Decimal("2.50")))
        purchase = Purchase(vendor, number, day, items, discount)
        if all(price > Decimal("0.10") for _, _, price in items) and max(least, 1) <= purchase.total < most:
            return purchase


def print_purchase(random: Random, purchase: Purchase) -> Sheet:
    """The sheet of one purchase in one of the layouts."""
    sheet = Sheet(random)
    _head(random, sheet, purchase)
    _rows(random, sheet, purchase)
    random.choice(_ENDS)(random, sheet, purchase)
    sheet.gap()
    for text in random.sample(("THANK YOU. PLEASE COME AGAIN", "GOODS SOLD ARE NOT RETURNABLE", "TERIMA KASIH"), 2):
        sheet.centre(text)
    return sheet


def money(value: Decimal) -> str:
    """As printed, with a comma before the thousands."""
    return f"{value:,.2f}"


def _head(random: Random, sheet: Sheet, purchase: Purchase) -> None:
    together = len(purchase.vendor) == 1 and random.random() < 0.4  # noqa: PLR2004 - a share of the layouts
    for line in purchase.vendor[:-1]:
        sheet.centre(line)
    sheet.centre(f"{purchase.vendor[-1]} {purchase.number}" if together else purchase.vendor[-1])
    if not together:
        sheet.centre(random.choice((purchase.number, f"(CO. NO. {purchase.number[1:]}")))
    for line in (
        f"NO.{random.randrange(1, 99)}, JALAN CONTOH 1/{random.randrange(1, 20)}",
        "TAMAN REKAAN",
        "00000 CONTOH",
    ):
        sheet.centre(line)
    sheet.centre(f"TEL : 00-0000 {random.randrange(1000, 9999)}")
    if random.random() < 0.6:  # noqa: PLR2004 - a share of the layouts
        sheet.centre(f"(GST REG NO : 000{random.randrange(10**8, 10**9)})")
    sheet.gap()
    sheet.centre(random.choice(("TAX INVOICE", "RECEIPT", "CASH BILL", "INVOICE")))
    _dated(random, sheet, purchase.day)


def _dated(random: Random, sheet: Sheet, day: date) -> None:
    shown = day.strftime(random.choice(_DATE_FORMS)).upper()
    hour, minute = random.randrange(8, 22), random.randrange(60)
    number = f"CS{random.randrange(10000, 99999):08d}"
    match random.randrange(4):
        case 0:
            sheet.row((f"DATE : {shown} {hour:02}:{minute:02}", 0))
            sheet.row((f"INVOICE NO : {number}", 0))
        case 1:
            sheet.row(("DATE", 0), (":", -0.25), (f"{shown} {hour:02}:{minute:02}:{random.randrange(60):02}", -0.3))
            sheet.row(("BILL NO", 0), (":", -0.25), (number, -0.3))
        case 2:
            sheet.row((f"DOC NO. : {number}", 0), (f"DATE: {shown}", 1))
            sheet.row(("CASHIER : USER", 0), (f"TIME: {hour:02}:{minute:02}:00", 1))
        case _:
            sheet.row((shown, 0), (f"{hour:02}:{minute:02}", -0.45), (f"SLIP NO.: {number}", 1))
    sheet.gap()


def _rows(random: Random, sheet: Sheet, purchase: Purchase) -> None:
    style = random.randrange(3)
    if style == 0:
        sheet.row(("DESCRIPTION", 0), ("QTY", 0.58), ("PRICE", 0.78), ("AMOUNT", 1))
    elif style == 1:
        sheet.row(("ITEM", 0), ("AMOUNT (RM)", 1))
    for name, quantity, price in purchase.items:
        amount = money(price * quantity)
        if style == 0:
            sheet.row((name, 0), (str(quantity), 0.56), (money(price), 0.78), (amount, 1))
        elif style == 1:
            sheet.row((name, 0))
            sheet.row((f"{quantity} X {money(price)}", -0.1), (f"{amount} SR", 1))
        else:
            sheet.row((f"{quantity} {name}", 0), (amount, 1))
    sheet.gap()


def _plain(random: Random, sheet: Sheet, purchase: Purchase) -> None:
    if purchase.discount:
        sheet.row(("SUB TOTAL", 0), (money(purchase.gross), 1))
        sheet.row(("LESS DISCOUNT", 0), (f"-{money(purchase.discount)}", 1))
    if purchase.total != purchase.net:
        sheet.row(("SUBTOTAL", 0), (money(purchase.net), 1))
        sheet.row(("ROUNDING ADJ", 0), (money(purchase.total - purchase.net), 1))
    sheet.row(
        (random.choice(("TOTAL :", "TOTAL", "TOTAL RM", "GRAND TOTAL :", "TOTAL (RM)")), 0), (money(purchase.total), 1)
    )
    _pay(random, sheet, purchase.total)


def _taxed(random: Random, sheet: Sheet, purchase: Purchase) -> None:
    sheet.row((f"TOTAL QTY: {sum(quantity for _, quantity, _ in purchase.items)}", 0))
    sheet.row(("TOTAL SALES (EXCLUDING GST) :", 0.7), (money(purchase.net + purchase.discount - purchase.tax), 1))
    sheet.row(("DISCOUNT :", 0.7), (money(purchase.discount), 1))
    sheet.row(("TOTAL GST :", 0.7), (money(purchase.tax), 1))
    sheet.row(("ROUNDING :", 0.7), (money(purchase.total - purchase.net), 1))
    sheet.row(("TOTAL SALES (INCLUSIVE OF GST) :", 0.7), (money(purchase.total), 1))
    _pay(random, sheet, purchase.total, colon=True)
    sheet.centre("GST SUMMARY")
    sheet.row(("TAX CODE", 0), ("%", 0.4), ("AMT (RM)", 0.72), ("TAX (RM)", 1))
    sheet.row(("SR", 0), ("6", 0.4), (money(purchase.net - purchase.tax), 0.72), (money(purchase.tax), 1))


def _merged(random: Random, sheet: Sheet, purchase: Purchase) -> None:
    sign = random.choice(("$", "RM", "RM "))
    if purchase.total != purchase.net or purchase.discount:
        sheet.row((f"SUB TOTAL: {sign}{money(purchase.gross)}", 1))
    if purchase.discount:
        sheet.row((f"DISCOUNT: -{sign}{money(purchase.discount)}", 1))
    if purchase.total != purchase.net:
        sheet.row((f"ROUNDING: {sign}{money(purchase.total - purchase.net)}", 1))
    sheet.row((f"{random.choice(('NETT TOTAL', 'TOTAL AMOUNT', 'TOTAL'))}: {sign}{money(purchase.total)}", 1))
    if random.random() < 0.5:  # noqa: PLR2004 - a share of the layouts
        sheet.row((f"GST @6% INCL: {sign}{money(purchase.tax)}", 1))
    _pay(random, sheet, purchase.total)


def _pay(random: Random, sheet: Sheet, total: Decimal, *, colon: bool = False) -> None:
    end = " :" if colon else ""
    if random.random() < 0.3:  # noqa: PLR2004 - a share of the layouts
        sheet.row((random.choice(("VISA", "MASTERCARD", "CREDIT CARD")) + end, 0), (money(total), 1))
        return
    notes: Sequence[int] = (1, 5, 10, 50)
    note = Decimal(random.choice(notes))
    paid = (total / note).to_integral_value(ROUND_CEILING) * note
    sheet.row((random.choice(("CASH", "CASH RECEIVED", "CASH TENDERED")) + end, 0), (money(paid), 1))
    sheet.row(("CHANGE" + end, 0), (money(paid - total), 1))


_ENDS: tuple[Callable[[Random, Sheet, Purchase], None], ...] = (_plain, _plain, _taxed, _merged)
