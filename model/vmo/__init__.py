"""Virtual memory objects: what mappings show.

Mirrors `VmObject` and what stands behind it (`zircon/kernel/vm/vm_object.cc`, `vm_object_paged.cc`,
`vm_object_physical.cc`, `vm_cow_pages.cc`).

Start reading at `vmo.py`; then `paged_contents.py` for bytes, `cow_tree.py` for clones.
"""

from vmaspace.model.vmo.attribution import AttributionCounts
from vmaspace.model.vmo.cow_pages import VmCowPages
from vmaspace.model.vmo.kinds import CloneType, HintType, RangeChangeOp, VmoKind
from vmaspace.model.vmo.page_source import PageRequest, PageSource
from vmaspace.model.vmo.paged import VmObjectPaged
from vmaspace.model.vmo.physical import VmObjectPhysical
from vmaspace.model.vmo.vmo import VmObject

__all__ = [
    "AttributionCounts",
    "CloneType",
    "HintType",
    "PageRequest",
    "PageSource",
    "RangeChangeOp",
    "VmCowPages",
    "VmObject",
    "VmObjectPaged",
    "VmObjectPhysical",
    "VmoKind",
]
