"""Why USPS returns a piece, with its letter (Publication 8A, ACS deliverability codes).

No mail platform passes them on: they stand on the piece that came back, and a person notes them in the returns desk.
"""

from typing import Final

REASONS: Final = {
    "A": "Attempted, not known",
    "I": "Insufficient address",
    "K": "Moved, left no address",
    "N": "No such number",
    "S": "No such street",
    "V": "Vacant",
    "Q": "Not deliverable as addressed, unable to forward",
    "M": "No mail receptacle",
    "R": "Refused",
    "U": "Unclaimed",
    "P": "Deceased",
    "E": "In dispute",
    "L": "Illegible",
    "G": "PO box closed, no order",
    "W": "Temporarily away",
}
