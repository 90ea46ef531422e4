"""Describes our types as the robot's Cyclone DDS 0.10.2 does.

The Python binding of Cyclone 11 describes ``uint8`` and ``int8`` as TK_UINT8 and TK_INT8, that of 0.10.2 as TK_BYTE and
TK_CHAR8. The type's hash then differs, a look-up of the type follows, and 0.10.2 dies of the kind that it does not know
(a segmentation fault, seen with the Debian package). The bytes of a sample are the same either way.
"""

from __future__ import annotations

from typing import Any

from cyclonedds.idl import types
from cyclonedds.idl._typesupport.DDS import XTypes
from cyclonedds.idl._xt_builder import XTBuilder

_AS_0_10 = {types.uint8: XTypes.TK_BYTE, types.int8: XTypes.TK_CHAR8}
_MARK = "_describes_as_0_10"


def describe_as_0_10() -> None:
    """Change how this process describes its types; before the first topic is made, and once."""
    if hasattr(XTBuilder, _MARK):
        return
    original = XTBuilder._xt_type_identifier

    def identifier(cls: type, name: str, entity: Any, minimal: bool) -> Any:
        for kind, code in _AS_0_10.items():  # by identity: types of this module do not compare
            if entity is kind:
                return XTypes.TypeIdentifier(discriminator=code, value=None)
        return original(name, entity, minimal)

    XTBuilder._xt_type_identifier = classmethod(identifier)
    setattr(XTBuilder, _MARK, True)
