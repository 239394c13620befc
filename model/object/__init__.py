"""The objects that user code holds handles to, as thin as their callers need them.

Mirrors `zircon/kernel/object` and `zircon/kernel/lib/syscalls`: handles and rights, dispatchers, processes, the system
calls on VMARs, and the listings behind `zx_object_get_info`. Everything that these decide beyond rights is decided in
the VM layer above this folder.

Does not model jobs, ports, or how a handle is sent to another process.
"""
