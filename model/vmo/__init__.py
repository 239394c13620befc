"""Virtual memory objects: what mappings show.

Mirrors `VmObject` and what stands behind it (`zircon/kernel/vm/vm_object.cc`, `vm_object_paged.cc`,
`vm_object_physical.cc`, `vm_cow_pages.cc`), as far as mappings and faults can tell.

Start reading at `vmo.py`.
"""

from vmaspace.model.vmo.vmo import VmObject, VmoKind

__all__ = ["VmObject", "VmoKind"]
