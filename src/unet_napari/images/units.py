"""Units of length, as microscopes and their programs spell them."""

from __future__ import annotations

import math
import re
import unicodedata

__all__ = ["INCH", "is_length", "micrometres", "plain_unit"]

INCH = 25_400.0
"""Length of an inch, in micrometres."""

_MICROMETRES = {
    1e-6: ("pm", "picometer", "picometre"),
    1e-4: ("å", "a", "angstrom", "ångström"),
    1e-3: ("nm", "nanometer", "nanometre"),
    1.0: ("um", "μm", "μ", "âμm", "micron", "micrometer", "micrometre"),
    1e3: ("mm", "millimeter", "millimetre"),
    1e4: ("cm", "centimeter", "centimetre"),
    1e5: ("dm", "decimeter", "decimetre"),
    1e6: ("m", "meter", "metre"),
    INCH: ("in", "inch", "inche", '"'),
}
_FACTORS = {unit: factor for factor, units in _MICROMETRES.items() for unit in units}
# Dots per inch that programs write when nobody measured anything.
_PRINTER_DOTS = (
    *(72, 75, 90, 96, 100, 120, 144, 150, 180),
    *(200, 240, 300, 360, 400, 600, 720, 1200, 2400),
)


def micrometres(length: object, unit: str) -> float | None:
    r"""Convert a length.

    Parameters
    ----------
    length
        A number, or the text of one; its sign is ignored (ImageJ counts some stacks
        downwards).
    unit
        A symbol or a name, in any case and in the plural as well; ``\u00B5m``, as ImageJ
        escapes it, with the micro sign or with the Greek letter.

    Returns
    -------
    float or None
        The length in micrometres; None where it is no length, so that it counts as unknown. The
        dots of a printer, such as 1/72 inch and 1/28.35 cm, are no lengths either.
    """
    factor = _factor(unit)
    try:
        value = abs(float(str(length)))
    except ValueError:
        return None
    if factor is None or not math.isfinite(value) or value == 0:
        return None
    if factor in (INCH, 1e4) and _is_printers(value * factor):
        return None
    return value * factor


def is_length(unit: str) -> bool:
    """Tell whether a text is a unit of length."""
    return _factor(unit) is not None


def plain_unit(unit: str) -> str:
    """Write a unit in one way: small letters, no escapes, one micro sign, nothing around it."""
    plain = re.sub(r"\\u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), unit)
    # NFKC makes one letter of the micro sign and the Greek one, and of both of Angstrom's.
    plain = unicodedata.normalize("NFKC", plain).strip().lower()
    return re.sub(r"\s*(/|per)\s*(px|pixels?)$", "", plain)


def _factor(unit: str) -> float | None:
    plain = plain_unit(unit)
    return _FACTORS.get(plain, _FACTORS.get(plain.removesuffix("s")))


def _is_printers(size: float) -> bool:
    """Tell whether a pixel of so many micrometres is the dot of a printer or a screen."""
    dots = INCH / size
    return any(abs(dots - usual) < 0.002 * usual for usual in _PRINTER_DOTS)
