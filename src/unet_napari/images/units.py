"""Units of length, as microscopes and their programs spell them."""

from __future__ import annotations

import math

__all__ = ["micrometres"]

_MICROMETRES = {
    1e-6: ("pm", "picometer", "picometre"),
    1e-4: ("å", "angstrom", "ångström"),
    1e-3: ("nm", "nanometer", "nanometre"),
    1.0: ("um", "µm", "μm", "micron", "microns", "micrometer", "micrometre", "\\u00b5m"),
    1e3: ("mm", "millimeter", "millimetre"),
    1e4: ("cm", "centimeter", "centimetre"),
    1e6: ("m", "meter", "metre"),
}
_FACTORS = {unit: factor for factor, units in _MICROMETRES.items() for unit in units}


def micrometres(length: object, unit: str) -> float | None:
    """Convert a length.

    Parameters
    ----------
    length
        A number, or the text of one; its sign is ignored (ImageJ counts some stacks
        downwards).
    unit
        A symbol or a name. Inches are not taken for a pixel size: they are the 72 dots per
        inch of a printer.

    Returns
    -------
    float or None
        None where that is no length, so that the size counts as unknown.
    """
    factor = _FACTORS.get(unit.strip().lower())
    try:
        value = abs(float(str(length)))
    except ValueError:
        return None
    if factor is None or not math.isfinite(value) or value == 0:
        return None
    return value * factor
