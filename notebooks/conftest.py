"""nbval compares the numbers that cells print with a tolerance, in each notebook's own language.

Kinds of processors add in different orders. A descent makes more of that: after a hundred steps the
third digit may be another one.
"""

import os
import re

from nbval.plugin import IPyNbCell

from stlib.course.show import LETTERS

NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?")
SHARE = 0.05  # of the larger number
UNITS = 3  # of the last digit that is printed, where there are decimals


def alike(one: str, other: str) -> bool:
    """Whether two texts have the same words, and numbers that are near each other."""
    if NUMBER.sub("#", one) != NUMBER.sub("#", other):
        return False
    pairs = zip(NUMBER.findall(one), NUMBER.findall(other), strict=True)
    return all(near(first, second) for first, second in pairs)


def near(one: str, other: str) -> bool:
    """Whether two printed numbers may be the same one on two processors.

    Whole numbers below 10 are counts, and are compared exactly; others may differ by 1.
    """
    first, second = (float(number.replace(",", "")) for number in (one, other))
    decimals = len(one.partition("e")[0].partition(".")[2])
    if "e" not in one and not decimals:
        allowed = max(1, SHARE * max(first, second)) if min(first, second) >= 10 else 0
    elif "e" in one:
        allowed = SHARE * max(first, second)
    else:
        allowed = max(SHARE * max(first, second), UNITS * 10**-decimals)
    return abs(first - second) <= allowed * (1 + 1e-9)


# without a Chinese font their figures have numbers, and say so
collect_ignore_glob = [] if LETTERS else ["zh-CN/*"]


def pytest_report_header():
    return None if LETTERS else "There is no Chinese font here, so notebooks/zh-CN is left out."


# on a Chinese system, too, English notebooks are English; those in zh-CN see to themselves
os.environ["LANGUAGE"] = "en"
os.environ.pop("STLIB_LANGUAGE", None)

exactly = IPyNbCell.compare_outputs


def compare_outputs(cell, test, reference, skip_compare=None):
    """As nbval does, where a text that is alike counts as the same."""
    for new, stored in zip(test, reference, strict=False):
        for holder, kept, field in (
            (new, stored, "text"),
            (new.get("data", {}), stored.get("data", {}), "text/plain"),
        ):
            texts = [cell.sanitize(part.get(field, "")) for part in (holder, kept)]
            if field in holder and field in kept and alike(*texts):
                holder[field] = kept[field]
    return exactly(cell, test, reference, skip_compare)


IPyNbCell.compare_outputs = compare_outputs
