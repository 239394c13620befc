"""Operations on the VMOs behind a range of addresses.

Mirrors `VmAddressRegion::RangeOp` (`zircon/kernel/vm/vm_address_region.cc`). The lock is let go around each piece, so the
VMAR is looked at again after it.

Does not model what other threads do meanwhile. The numbers of the operations are the model's own.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

from vmaspace.model.constants import MAX_U64, ByteSize, Vaddr, is_page_aligned, round_up_page
from vmaspace.model.flags import (
    VMAR_FLAG_CAN_MAP_READ,
    VMAR_FLAG_CAN_MAP_WRITE,
    VMAR_FLAG_FAULT_BEYOND_STREAM_SIZE,
)
from vmaspace.model.mapping import VmMapping
from vmaspace.model.region import ALIVE
from vmaspace.model.status import (
    ZX_ERR_ACCESS_DENIED,
    ZX_ERR_BAD_STATE,
    ZX_ERR_INVALID_ARGS,
    ZX_ERR_NOT_SUPPORTED,
    ZX_ERR_OUT_OF_RANGE,
    ZX_OK,
    Status,
)
from vmaspace.model.vmar_priority import VmarPriority
from vmaspace.model.vmo import HintType, VmObject


class RangeOpType(IntEnum):
    """`VmAddressRegion::RangeOpType`."""

    COMMIT = 0
    DECOMMIT = 1
    MAP_RANGE = 2
    ZERO = 3
    DONT_NEED = 4
    ALWAYS_NEED = 5
    PREFETCH = 6


_NEEDS: Final = {
    RangeOpType.COMMIT: VMAR_FLAG_CAN_MAP_WRITE,
    RangeOpType.DECOMMIT: VMAR_FLAG_CAN_MAP_WRITE,
    RangeOpType.MAP_RANGE: 0,
    RangeOpType.ZERO: VMAR_FLAG_CAN_MAP_WRITE,
    RangeOpType.DONT_NEED: 0,
    RangeOpType.ALWAYS_NEED: 0,
    RangeOpType.PREFETCH: VMAR_FLAG_CAN_MAP_READ,
}
_NOT_IN_SUB_VMARS: Final = frozenset({RangeOpType.COMMIT, RangeOpType.DECOMMIT, RangeOpType.PREFETCH})
_POPULATES: Final = frozenset(
    {RangeOpType.COMMIT, RangeOpType.MAP_RANGE, RangeOpType.ALWAYS_NEED, RangeOpType.PREFETCH}
)


class VmarRangeOps(VmarPriority):
    """A VMAR, as a range of the VMOs that it shows."""

    __slots__ = ()

    def range_op(
        self,
        op: int,
        base: Vaddr,
        size: ByteSize,
        op_children: bool = True,
        buffer: object = None,
        buffer_size: ByteSize = 0,
    ) -> Status:
        """Do `op` to the VMOs of all mappings in `[base, base + size)`, lowest first.

        *Kernel:* `VmAddressRegion::RangeOp` (zircon/kernel/vm/vm_address_region.cc)
        *Fails with:* INVALID_ARGS for a buffer, an empty rounded size or a misaligned base; OUT_OF_RANGE outside the
        VMAR; BAD_STATE unless ALIVE; ACCESS_DENIED where the vDSO code is; then the first offender in address order:
        BAD_STATE for a gap, INVALID_ARGS in a sub-VMAR where that may not be, OUT_OF_RANGE past the stream size,
        ACCESS_DENIED for what the mapping may not become, what the VMO or the page tables answer; NOT_SUPPORTED for an
        unknown operation. Pieces that were done before stay done.
        """
        if buffer is not None or buffer_size:
            return ZX_ERR_INVALID_ARGS
        rounded = round_up_page(size)
        if rounded == 0 or not is_page_aligned(base):
            return ZX_ERR_INVALID_ARGS
        if not self.is_in_range(base, rounded):
            return ZX_ERR_OUT_OF_RANGE
        with self.aspace.lock():
            return self._range_op_locked(op, base, rounded, op_children)

    def _range_op_locked(self, op: int, base: Vaddr, size: ByteSize, op_children: bool) -> Status:
        status = self._check_range_op(base, size)
        at, end = base, base + size
        while status is ZX_OK and at < end:
            mapping = next(self.mappings_meeting(at, end - at), None)
            if mapping is None or mapping.base > at:
                return ZX_ERR_BAD_STATE
            if mapping.parent is not self and (not op_children or op in _NOT_IN_SUB_VMARS):
                return ZX_ERR_INVALID_ARGS
            stop = min(end, mapping.end)
            with self.aspace.lock().released():
                done = _do_piece(op, mapping, at, stop - at)
            # As implemented, what became of the VMAR meanwhile wins over what the piece came to.
            status = self._check_range_op(base, size)
            if status is ZX_OK:
                status = done
            at = stop
        return status

    def _check_range_op(self, base: Vaddr, size: ByteSize) -> Status:
        if self.state is not ALIVE:
            return ZX_ERR_BAD_STATE
        if self.aspace.intersects_vdso_code_locked(base, size):
            return ZX_ERR_ACCESS_DENIED
        return ZX_OK


def _do_piece(op: int, mapping: VmMapping, base: Vaddr, size: ByteSize) -> Status:
    """One operation on the part `[base, base + size)` of one mapping, without the lock."""
    vmo = mapping.vmo
    if vmo is None:
        return ZX_ERR_BAD_STATE
    offset = mapping.object_offset + (base - mapping.base)
    is_bounded = bool(mapping.flags_word & VMAR_FLAG_FAULT_BEYOND_STREAM_SIZE)
    # As implemented, the subtraction wraps when the offset is past the stream size.
    if is_bounded and size > (vmo.get_stream_size() - offset) & MAX_U64:
        return ZX_ERR_OUT_OF_RANGE
    if op not in _NEEDS:
        return ZX_ERR_NOT_SUPPORTED
    kind = RangeOpType(op)
    if _NEEDS[kind] & ~mapping.flags_word:
        return ZX_ERR_ACCESS_DENIED
    status = do_to_vmo(kind, vmo, offset, size)
    if status is ZX_OK and kind in _POPULATES:
        return mapping.map_range(base - mapping.base, size, commit=False, ignore_existing=True)
    return status


def do_to_vmo(op: RangeOpType, vmo: VmObject, offset: int, size: ByteSize) -> Status:
    if op is RangeOpType.COMMIT:
        return vmo.commit_range(offset, size)
    if op is RangeOpType.DECOMMIT:
        return vmo.decommit_range(offset, size)
    if op is RangeOpType.ZERO:
        return vmo.zero_range(offset, size)
    if op is RangeOpType.PREFETCH:
        return vmo.prefetch_range(offset, size)
    if op is RangeOpType.DONT_NEED:
        return vmo.hint_range(offset, size, HintType.DONT_NEED)
    if op is RangeOpType.ALWAYS_NEED:
        return vmo.hint_range(offset, size, HintType.ALWAYS_NEED)
    return ZX_OK
