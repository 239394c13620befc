"""The options `--cluster` and `--cluster-workers`, which several commands have."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from vmaspace.checker.cli.error import UsageError
from vmaspace.checker.engines.cluster.connection import LOCAL, Cluster, ClusterError, connected
from vmaspace.checker.report.progress import Progress


@contextmanager
def cluster_of(
    o: argparse.Namespace, not_with: Sequence[str] = (), most: int | None = None
) -> Iterator[Cluster | None]:
    """The cluster that the options ask for; None if they ask for none.

    not_with: options that make no sense there.  most: workers to use, if nobody says how many.
    """
    if o.cluster is None:
        if o.cluster_workers is not None:
            raise UsageError("--cluster-workers says how many workers of a cluster: it needs --cluster")
        yield None
        return
    for name in not_with:
        if getattr(o, name):
            raise UsageError(f"--{name} works on this machine alone: without --cluster")
    if o.cluster.endswith(".aspec") or Path(o.cluster).is_file():
        raise UsageError(f"{o.cluster} stands where --cluster takes an address: put files first, or write --cluster=local")
    try:
        with ExitStack() as stack:
            with Progress("cluster") as progress:
                address = o.cluster or os.environ.get("RAY_ADDRESS") or LOCAL
                progress.text = "starting Ray" if address == LOCAL else f"reaching Ray at {address}"
                progress.show()
                cluster = stack.enter_context(connected(o.cluster, o.cluster_workers))
            if o.cluster_workers is None and most is not None:
                cluster.workers = min(cluster.workers, most)
            yield cluster
    except ClusterError as error:
        raise UsageError(str(error)) from None
