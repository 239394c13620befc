"""Which account belongs to which tables of the model."""

from __future__ import annotations

from vmaspace.checker.adapters.entries import Kind, Tables
from vmaspace.checker.engines.entries.account import Account
from vmaspace.checker.engines.entries.arm64 import el2_account, stage1_account, stage2_account
from vmaspace.checker.engines.entries.riscv64 import riscv64_account
from vmaspace.checker.engines.entries.x86 import ept_account, x86_account


def account_of(tables: Tables) -> Account:
    """What the manual and Zircon's rules say of these tables."""
    kernel = tables.kind is Kind.KERNEL
    match tables.arch, tables.kind:
        case "x86_64", Kind.GUEST:
            return ept_account()
        case "x86_64", _:
            return x86_account(kernel)
        case "arm64", Kind.GUEST:
            return stage2_account()
        case "arm64", Kind.HYPERVISOR:
            return el2_account()
        case "arm64", _:
            return stage1_account(not kernel)
        case "riscv64", _:
            return riscv64_account(tables.regime.width, kernel, tables.has_svpbmt)
    raise ValueError(f"no account of the page tables of {tables.arch}")
