"""What a register and its fields are."""

from dataclasses import dataclass

WORD_BYTES = 4


@dataclass(frozen=True)
class Field:
    """Bits of a register.

    Parameters
    ----------
    name : str
        ``value`` when there is no other field in the register.
    low, width : int
        Lowest bit, and number of bits.
    access : str
        What software may do: ``r``, ``w`` or ``rw``.
    reset : int or None
        Value after reset; None if hardware drives it. One that software cannot write is constant.
    desc : str
    singlepulse : bool
        A 1 that is written lasts for one clock cycle.
    w1c : bool
        Hardware sets it, writing 1 clears it.
    signed : bool
        Two's complement.
    values : tuple
        ``(name, value)`` of values with names.
    """

    name: str
    low: int
    width: int
    access: str
    reset: int | None
    desc: str
    singlepulse: bool = False
    w1c: bool = False
    signed: bool = False
    values: tuple[tuple[str, int], ...] = ()

    @property
    def mask(self) -> int:
        """The field's bits in the register."""
        return ((1 << self.width) - 1) << self.low


@dataclass(frozen=True)
class Register:
    """A word of the register map: ``name``, ``address`` in bytes, ``group``, ``desc``, ``fields`` from low to high."""

    name: str
    address: int
    group: str
    desc: str
    fields: tuple[Field, ...]

    def exists(self, encoder: int) -> bool:
        """Whether a co-processor with this parameter has the register."""
        return bool(encoder) or self.group != "encoder"

    @property
    def members(self) -> dict[str, Field]:
        """``{name: Field}`` by names that are unique in the map: ``n_heads``, ``mode_rule``."""
        name = self.name.lower()
        return {name if field.name == "value" else f"{name}_{field.name}": field for field in self.fields}

    @property
    def access(self) -> str:
        """What software may do with at least one field: ``r``, ``w`` or ``rw``."""
        return "".join(kind for kind in "rw" if any(kind in field.access for field in self.fields))

    @property
    def reset(self) -> int | None:
        """The word that is read after reset, or None if hardware drives part of it."""
        if any(field.reset is None for field in self.fields):
            return None
        return sum(field.reset << field.low for field in self.fields if "r" in field.access)

    def pack(self, **values: int) -> int:
        """The word with these values of fields, 0 for those not named. Raises ValueError if one does not fit."""
        fields = {field.name: field for field in self.fields}
        word = 0
        for name, value in values.items():
            if name not in fields:
                raise ValueError(f"register {self.name} has no field {name}; it has {', '.join(fields)}")
            field, value = fields[name], int(value)
            low = -1 << (field.width - 1) if field.signed else 0
            high = low + (1 << field.width) - 1
            if not low <= value <= high:
                raise ValueError(f"field {self.name}.{name} = {value} is not legal; legal: {low} to {high}")
            word |= value << field.low & field.mask
        return word

    def unpack(self, word: int) -> dict[str, int]:
        """``{field: value}`` of a word."""
        values = {}
        for field in self.fields:
            value = (word & field.mask) >> field.low
            negative = field.signed and value >> (field.width - 1)
            values[field.name] = value - (1 << field.width) if negative else value
        return values
