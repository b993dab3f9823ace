"""How wide the columns of a table of runs are, where the reader did not say. Pure.

Every column has a width from the beginning, so no value that arrives later moves the others. The
display name has none of its own: it takes what the others leave.
"""

from studio.search.columns import Column

NAME_FLOOR = 220
_WIDTHS = {
    "experiment": 128,
    "status": 118,
    "tags": 200,
    "submitted": 104,
    "started": 96,
    "ended": 96,
    "duration": 92,
    "submitter": 116,
    "target": 120,
    "type": 96,
    "number": 84,
    "uid": 108,
    "description": 280,
    "star": 56,
    "children": 120,
    "tag": 128,
    "property": 128,
}
# A value and its head, up to a name of some 20 letters; a longer one ends in an ellipsis.
_VALUE, _LONGEST = 92, 176
_PER_LETTER, _AROUND = 7, 34


def usual_width(column: Column) -> int:
    """In pixels; of the display name the least it has."""
    if column.family == "name":
        return NAME_FLOOR
    least = _WIDTHS.get(column.family, _VALUE)
    if not column.name:
        return least
    return min(max(least, _LONGEST), max(least, len(column.label) * _PER_LETTER + _AROUND))
