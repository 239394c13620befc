"""The results of kernel calls: `zx_status_t` values, and the violation of a kernel assertion.

Mirrors `zircon/system/public/zircon/errors.h`. A refusal is data: operations return a `Status`, alone or first
in a pair, and never raise one. What the kernel asserts raises `AssertionViolation`, in every kind of build.

Does not model release builds, in which a failed DEBUG_ASSERT goes on.
"""

from enum import IntEnum
from typing import Final


class Status(IntEnum):
    """`zx_status_t`: zero for success, negative for a refusal."""

    ZX_OK = 0
    ZX_ERR_INTERNAL = -1
    ZX_ERR_NOT_SUPPORTED = -2
    ZX_ERR_NO_RESOURCES = -3
    ZX_ERR_NO_MEMORY = -4
    ZX_ERR_INTERRUPTED_RETRY = -6
    ZX_ERR_INVALID_ARGS = -10
    ZX_ERR_BAD_HANDLE = -11
    ZX_ERR_WRONG_TYPE = -12
    ZX_ERR_BAD_SYSCALL = -13
    ZX_ERR_OUT_OF_RANGE = -14
    ZX_ERR_BUFFER_TOO_SMALL = -15
    ZX_ERR_BAD_STATE = -20
    ZX_ERR_TIMED_OUT = -21
    ZX_ERR_SHOULD_WAIT = -22
    ZX_ERR_CANCELED = -23
    ZX_ERR_PEER_CLOSED = -24
    ZX_ERR_NOT_FOUND = -25
    ZX_ERR_ALREADY_EXISTS = -26
    ZX_ERR_ALREADY_BOUND = -27
    ZX_ERR_UNAVAILABLE = -28
    ZX_ERR_ACCESS_DENIED = -30
    ZX_ERR_IO = -40
    ZX_ERR_IO_REFUSED = -41
    ZX_ERR_IO_DATA_INTEGRITY = -42
    ZX_ERR_IO_DATA_LOSS = -43
    ZX_ERR_IO_NOT_PRESENT = -44
    ZX_ERR_IO_OVERRUN = -45
    ZX_ERR_IO_MISSED_DEADLINE = -46
    ZX_ERR_IO_INVALID = -47
    ZX_ERR_BAD_PATH = -50
    ZX_ERR_NOT_DIR = -51
    ZX_ERR_NOT_FILE = -52
    ZX_ERR_FILE_BIG = -53
    ZX_ERR_NO_SPACE = -54
    ZX_ERR_NOT_EMPTY = -55
    ZX_ERR_STOP = -60
    ZX_ERR_NEXT = -61
    ZX_ERR_ASYNC = -62
    ZX_ERR_PROTOCOL_NOT_SUPPORTED = -70
    ZX_ERR_ADDRESS_UNREACHABLE = -71
    ZX_ERR_ADDRESS_IN_USE = -72
    ZX_ERR_NOT_CONNECTED = -73
    ZX_ERR_CONNECTION_REFUSED = -74
    ZX_ERR_CONNECTION_RESET = -75
    ZX_ERR_CONNECTION_ABORTED = -76
    ZX_ERR_INTERNAL_INTR_KILLED = -502


# The same under the names that the kernel's source uses.
ZX_OK: Final = Status.ZX_OK
ZX_ERR_INTERNAL: Final = Status.ZX_ERR_INTERNAL
ZX_ERR_NOT_SUPPORTED: Final = Status.ZX_ERR_NOT_SUPPORTED
ZX_ERR_NO_RESOURCES: Final = Status.ZX_ERR_NO_RESOURCES
ZX_ERR_NO_MEMORY: Final = Status.ZX_ERR_NO_MEMORY
ZX_ERR_INTERRUPTED_RETRY: Final = Status.ZX_ERR_INTERRUPTED_RETRY
ZX_ERR_INVALID_ARGS: Final = Status.ZX_ERR_INVALID_ARGS
ZX_ERR_BAD_HANDLE: Final = Status.ZX_ERR_BAD_HANDLE
ZX_ERR_WRONG_TYPE: Final = Status.ZX_ERR_WRONG_TYPE
ZX_ERR_BAD_SYSCALL: Final = Status.ZX_ERR_BAD_SYSCALL
ZX_ERR_OUT_OF_RANGE: Final = Status.ZX_ERR_OUT_OF_RANGE
ZX_ERR_BUFFER_TOO_SMALL: Final = Status.ZX_ERR_BUFFER_TOO_SMALL
ZX_ERR_BAD_STATE: Final = Status.ZX_ERR_BAD_STATE
ZX_ERR_TIMED_OUT: Final = Status.ZX_ERR_TIMED_OUT
ZX_ERR_SHOULD_WAIT: Final = Status.ZX_ERR_SHOULD_WAIT
ZX_ERR_CANCELED: Final = Status.ZX_ERR_CANCELED
ZX_ERR_PEER_CLOSED: Final = Status.ZX_ERR_PEER_CLOSED
ZX_ERR_NOT_FOUND: Final = Status.ZX_ERR_NOT_FOUND
ZX_ERR_ALREADY_EXISTS: Final = Status.ZX_ERR_ALREADY_EXISTS
ZX_ERR_ALREADY_BOUND: Final = Status.ZX_ERR_ALREADY_BOUND
ZX_ERR_UNAVAILABLE: Final = Status.ZX_ERR_UNAVAILABLE
ZX_ERR_ACCESS_DENIED: Final = Status.ZX_ERR_ACCESS_DENIED
ZX_ERR_IO: Final = Status.ZX_ERR_IO
ZX_ERR_IO_REFUSED: Final = Status.ZX_ERR_IO_REFUSED
ZX_ERR_IO_DATA_INTEGRITY: Final = Status.ZX_ERR_IO_DATA_INTEGRITY
ZX_ERR_IO_DATA_LOSS: Final = Status.ZX_ERR_IO_DATA_LOSS
ZX_ERR_IO_NOT_PRESENT: Final = Status.ZX_ERR_IO_NOT_PRESENT
ZX_ERR_IO_OVERRUN: Final = Status.ZX_ERR_IO_OVERRUN
ZX_ERR_IO_MISSED_DEADLINE: Final = Status.ZX_ERR_IO_MISSED_DEADLINE
ZX_ERR_IO_INVALID: Final = Status.ZX_ERR_IO_INVALID
ZX_ERR_BAD_PATH: Final = Status.ZX_ERR_BAD_PATH
ZX_ERR_NOT_DIR: Final = Status.ZX_ERR_NOT_DIR
ZX_ERR_NOT_FILE: Final = Status.ZX_ERR_NOT_FILE
ZX_ERR_FILE_BIG: Final = Status.ZX_ERR_FILE_BIG
ZX_ERR_NO_SPACE: Final = Status.ZX_ERR_NO_SPACE
ZX_ERR_NOT_EMPTY: Final = Status.ZX_ERR_NOT_EMPTY
ZX_ERR_STOP: Final = Status.ZX_ERR_STOP
ZX_ERR_NEXT: Final = Status.ZX_ERR_NEXT
ZX_ERR_ASYNC: Final = Status.ZX_ERR_ASYNC
ZX_ERR_PROTOCOL_NOT_SUPPORTED: Final = Status.ZX_ERR_PROTOCOL_NOT_SUPPORTED
ZX_ERR_ADDRESS_UNREACHABLE: Final = Status.ZX_ERR_ADDRESS_UNREACHABLE
ZX_ERR_ADDRESS_IN_USE: Final = Status.ZX_ERR_ADDRESS_IN_USE
ZX_ERR_NOT_CONNECTED: Final = Status.ZX_ERR_NOT_CONNECTED
ZX_ERR_CONNECTION_REFUSED: Final = Status.ZX_ERR_CONNECTION_REFUSED
ZX_ERR_CONNECTION_RESET: Final = Status.ZX_ERR_CONNECTION_RESET
ZX_ERR_CONNECTION_ABORTED: Final = Status.ZX_ERR_CONNECTION_ABORTED
# What user mode knows as INTERRUPTED_RETRY has another name inside the kernel.
ZX_ERR_INTERNAL_INTR_RETRY: Final = Status.ZX_ERR_INTERRUPTED_RETRY
ZX_ERR_INTERNAL_INTR_KILLED: Final = Status.ZX_ERR_INTERNAL_INTR_KILLED


class AssertionViolation(Exception):
    """The kernel would stop here: ASSERT, DEBUG_ASSERT, panic, a canary, or a null it does not guard against.

    `clause` says in words what was to hold; `kernel_file` is the file of the kernel that says so.
    """

    def __init__(self, clause: str, kernel_file: str) -> None:
        super().__init__(f"{clause} ({kernel_file})")
        self.clause = clause
        self.kernel_file = kernel_file

    def __reduce__(self) -> tuple[type["AssertionViolation"], tuple[str, str]]:
        return type(self), (self.clause, self.kernel_file)
