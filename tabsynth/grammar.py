"""The grammar of delimited text as a state machine over bytes: the fields of each record, or the fault that has the file refused.

RFC 4180, strictly. A field is either a run of bytes without quotes, or stands in quotes, within which a quote is written twice and line
breaks are text. LF or CRLF ends a record. Every record has as many fields as the header. NUL is refused everywhere, and a CR outside
quotes that no LF follows. All special bytes are ASCII, which in UTF-8 are never a part of another character.

Proposition. Take a file whose records are all valid, and replace the text of one record, but for the line break that ends it, by any
bytes. Then the file is refused, or all other records are read as before.

Proof. Call the reader inside where it is in `QUOTED` or `ESCAPED`, and outside elsewhere. Without an escape character, a quote always
changes sides and nothing else does (see `RULES`), so a reader that is not stopped is inside where it has read an odd number of quotes. A
valid record has an even number. If the new bytes have an even number too, the reader is outside at the line break behind them, ends a
record there, and meets what follows in the state in which it met it before. If their number is odd, it is inside at the end of the file,
and the unclosed quote has the file refused. What comes before that record is read before it.

With an escape character, which inside takes the special meaning from a quote or an escape that follows it, and outside is refused,
the reader meets what follows either as before or inside. Suppose inside. As long as neither reading (the valid one and this one) has met
an escape, each quote moves both to the other side, so they stay on opposite sides. Where the valid one meets an escape, it is inside,
so this one is outside, and the file is refused. If there is none, this one is inside at the end, and the file is refused.

Where malformed lines are skipped, no quote reaches past the end of its line, so each line is read by itself.
"""

from __future__ import annotations

import numba
import numpy as np

ORDINARY, DELIMITER, QUOTE, LF, CR, NUL, ESCAPE, END = range(8)
"""Kinds of bytes; the last is the end of the file."""
START, PLAIN, QUOTED, CLOSED, ESCAPED, RETURN, DONE = range(7)
"""Before a field, in one without quotes, in quotes, behind a quote that closes or is the first of two, behind an escape, behind a CR, and
behind a record."""
QUOTE_INSIDE, TEXT_AFTER, UNCLOSED, BARE_CR, NUL_BYTE, ESCAPE_OUTSIDE, FIELDS, HEADER, TOO_LONG = range(-9, 0)
FAULTS = {
    QUOTE_INSIDE: "a quote stands inside a field that does not begin with one",
    TEXT_AFTER: "text follows the quote that closes a field",
    UNCLOSED: "a quote opens a field and none closes it",
    BARE_CR: "a carriage return stands outside quotes and no line feed follows",
    NUL_BYTE: "there is a NUL byte",
    ESCAPE_OUTSIDE: "the escape character stands outside quotes",
    FIELDS: "the record has {found} fields and the header {columns}",
    HEADER: "the header cannot be read",
    TOO_LONG: "a record of more than 16 MiB begins, as where no quote closes a field",
}
RULES = np.array(
    [  # ORDINARY DELIMITER    QUOTE         LF       CR      NUL       ESCAPE          END
        [PLAIN,      START,   QUOTED,       DONE,    RETURN, NUL_BYTE, ESCAPE_OUTSIDE, DONE],     # START
        [PLAIN,      START,   QUOTE_INSIDE, DONE,    RETURN, NUL_BYTE, ESCAPE_OUTSIDE, DONE],     # PLAIN
        [QUOTED,     QUOTED,  CLOSED,       QUOTED,  QUOTED, NUL_BYTE, ESCAPED,        UNCLOSED],  # QUOTED
        [TEXT_AFTER, START,   QUOTED,       DONE,    RETURN, NUL_BYTE, TEXT_AFTER,     DONE],     # CLOSED
        [QUOTED,     QUOTED,  QUOTED,       QUOTED,  QUOTED, NUL_BYTE, QUOTED,         UNCLOSED],  # ESCAPED
        [BARE_CR,    BARE_CR, BARE_CR,      DONE,    BARE_CR, BARE_CR, BARE_CR,        BARE_CR],  # RETURN
    ],
    dtype=np.int8,
)  # fmt: skip
"""The next state, or the fault."""


def grammar(delimiter: str, escape: str | None, *, by_line: bool) -> tuple[np.ndarray, np.ndarray]:
    """The kind of each byte, shape (256,), and the rules; `by_line` where a quote may not reach past the end of its line."""
    kind, rules = np.full(256, ORDINARY, dtype=np.uint8), RULES.copy()
    for byte, what in ((delimiter, DELIMITER), ('"', QUOTE), ("\n", LF), ("\r", CR), ("\0", NUL), (escape, ESCAPE)):
        if byte is not None:
            kind[ord(byte)] = what
    if by_line:
        rules[[QUOTED, ESCAPED], LF] = UNCLOSED
    return kind, rules


@numba.njit(cache=True, nogil=True)
def scan(data, final, kind, rules, columns, most, skip, starts, ends, changed):
    """Find the fields of the whole records at the front of `data`, at most `most` of them.

    Parameters
    ----------
    data : ndarray of uint8
        Begins with a record; ends with the file where `final`.
    kind, rules : ndarray
        See `grammar`.
    columns : int
        Fields that a record must have; 0 for any number.
    skip : bool
        Leave out a line that is at fault instead of stopping.
    starts, ends, changed : ndarray, shape (len(data) + 1,)
        Filled with where each field's text begins and ends, and whether quotes or escapes have to be taken out of it.

    Returns
    -------
    records, length, skipped, fault, line, fields : int
        Records found; bytes of them and of the lines skipped; lines skipped; the fault that stopped it, else 0; lines before
        where that began, or in those bytes; fields of the last record.
    """
    i = length = k = first = records = skipped = line = lines = opened = fields = 0
    state = START
    while records < most:
        if i < data.size:
            what = kind[data[i]]
        elif final and i > length:
            what = END
        else:
            break
        new = rules[state, what]
        if what == ORDINARY and new == state:
            i += 1
            continue
        if state == START:
            starts[k], changed[k], opened = i + (what == QUOTE), False, line
        elif new == QUOTED and state != QUOTED:
            changed[k] |= what in (QUOTE, ESCAPE)
        if new in (START, RETURN, DONE) and state != RETURN:
            ends[k] = i - (state == CLOSED)
            k += 1
        fault = new if new < 0 else 0
        if new == DONE and columns > 0 and k - first != columns:
            fault = FIELDS
        if fault != 0 and not skip:
            before = opened if fault in (UNCLOSED, TEXT_AFTER) else lines if fault == FIELDS else line
            return records, length, skipped, fault, before, k - first
        line += what == LF
        if fault != 0:
            while i < data.size and kind[data[i]] != LF:
                i += 1
            if i == data.size and not final:
                break
            skipped += 1
            k = first
        i += what != END
        if fault == 0 and new != DONE:
            state = new
            continue
        if fault == 0:
            records, fields = records + 1, k - first
        length, lines, first, state = min(i, data.size), line, k, START
    return records, length, skipped, 0, lines, fields


@numba.njit(cache=True, nogil=True)
def measure(data, starts, ends, changed, kind, column, columns, offsets):
    """Where each record's text of a column will begin and end, shape (records + 1,)."""
    offsets[0] = 0
    for r in range(offsets.size - 1):
        k = r * columns + column
        length = ends[k] - starts[k]
        if changed[k]:
            i = starts[k]
            while i < ends[k]:
                if _drops(data, i, kind):
                    length -= 1
                    i += 1
                i += 1
        offsets[r + 1] = offsets[r] + length


@numba.njit(cache=True, nogil=True)
def copy(data, starts, ends, changed, kind, column, columns, out):
    """The texts of a column, one behind the other, as they are without their quotes and escapes."""
    at = 0
    for r in range(starts.size // columns):
        k = r * columns + column
        i = starts[k]
        while i < ends[k]:
            if changed[k] and _drops(data, i, kind):
                i += 1
            out[at] = data[i]
            at += 1
            i += 1


@numba.njit(cache=True, nogil=True, inline="always")
def _drops(data, i, kind):
    """Whether the byte within quotes is only there for the sake of the next one."""
    what = kind[data[i]]
    return what == QUOTE or (what == ESCAPE and (kind[data[i + 1]] == QUOTE or kind[data[i + 1]] == ESCAPE))
