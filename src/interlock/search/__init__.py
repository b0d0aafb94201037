"""Search: decisions by the fields that their contracts declare searchable, in under a second over millions.

``entry`` takes a decision's terms while it is made, ``where`` reads what somebody wrote, ``wanted`` says what it means,
``find`` finds. Invariants: row security bounds every look-up; a personal value stands in no term, only its digest under
a key of the tenant; a page ends in bounded time and says whether anything can be left; where nothing is declared, a
decision writes no row.
"""
