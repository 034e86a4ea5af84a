"""The registers of hdp_top, clock cycle by clock cycle, as the register map describes them."""

from collections.abc import Iterable

from hdp_hw.spec.configs import vars_of
from hdp_hw.spec.params import HdpParams
from hdp_hw.spec.register_map import BY_NAME, REGISTERS
from hdp_hw.spec.registers import WORD_BYTES, Field, Register

FULL_STROBE = 0xF


class RegisterBank:
    """What the bank shows in a clock cycle; :meth:`clock` goes to the next.

    ``control`` and ``job`` are ``{name: value}`` of its outputs, ``irq`` another. ``answer`` is how it answers what was
    asked in the cycle before: ``write_error``, ``read_error``, ``read_data`` as far as something was.
    """

    def __init__(self, params: HdpParams) -> None:
        self.parameters = vars_of(params)
        self.registers = {register.address: register for register in REGISTERS if register.exists(params.encoder)}
        of_job = [register for register in self.registers.values() if register.group in ("job", "encoder")]
        self.job_members = [name for register in of_job for name in register.members]
        self.irq = 0
        self.answer: dict[str, int] = {}
        self._reset()

    def _reset(self) -> None:
        members = [member for register in self.registers.values() for member in register.members.items()]
        writable = [(name, field) for name, field in members if "w" in field.access]
        self.stored = {name: field.reset or 0 for name, field in writable if not field.singlepulse}
        self.control = {field.name: 0 for _, field in writable if field.singlepulse}
        self.high_words: dict[str, int] = {}

    @property
    def job(self) -> dict[str, int]:
        """``{name: value}`` of the job registers' fields."""
        return {name: self.stored[name] for name in self.job_members}

    def clock(
        self,
        write: tuple[int, int, int] | None = None,
        read: int | None = None,
        events: Iterable[str] = (),
        status: dict[str, int] | None = None,
        counters: dict[str, int] | None = None,
        load: tuple[int, int] | None = None,
    ) -> None:
        """One clock cycle.

        load : (number of a job register from JOB_ID on, word), which waits while something is written.
        write : (address, data, strobe); read : address; events : names of IRQ_STATUS fields; status : ``{name: value}``
        of what hardware drives; counters : likewise.
        """
        status, counters, resets = status or {}, counters or {}, self.control["reset"]
        pending = self._word("IRQ_STATUS")
        self.irq = int(pending & self._word("IRQ_ENABLE") != 0)
        self.answer = {}
        if read is not None:
            register = self.registers.get(read)
            self.answer |= {"read_error": int(register is None)}
            self.answer |= {"read_data": self._read(register, status, counters) if register else 0}
        self.control = dict.fromkeys(self.control, 0)
        if write is not None:
            self.answer["write_error"] = int(not self._write(*write))
        elif load is not None:
            self._write(BY_NAME["JOB_ID"].address + WORD_BYTES * load[0], load[1], FULL_STROBE)
        self.stored |= {f"irq_status_{event}": 1 for event in events}  # after the write: what happens is not lost
        if resets:
            self._reset()

    def _word(self, name: str) -> int:
        """A register that only holds what is stored."""
        return sum(self.stored[member] << field.low for member, field in BY_NAME[name].members.items())

    def _read(self, register: Register, status: dict[str, int], counters: dict[str, int]) -> int:
        name = register.name.lower()
        if register.group == "parameters":
            return self.parameters[name]
        if register.group == "counters":
            counter, _, half = name.rpartition("_")
            if half == "high":
                return self.high_words.get(counter, 0)
            self.high_words[counter] = counters[counter] >> 32
            return counters[counter] & 0xFFFFFFFF
        values: dict[Field, int] = {}
        for member, field in register.members.items():
            if field.access == "w":
                values[field] = 0
            elif field.access == "r":
                values[field] = status[member] if field.reset is None else field.reset
            else:
                values[field] = self.stored[member]
        return sum(value << field.low for field, value in values.items())

    def _write(self, address: int, data: int, strobe: int) -> bool:
        """Whether the write is accepted."""
        register = self.registers.get(address)
        if register is None or strobe != FULL_STROBE or "w" not in register.access:
            return False
        for member, field in register.members.items():
            value = (data & field.mask) >> field.low
            if field.singlepulse:
                self.control[field.name] = value
            elif field.w1c:
                self.stored[member] &= ~value
            else:
                self.stored[member] = value
        return True
