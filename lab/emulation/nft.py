"""nftables inside a namespace, through libnftables: the library behind the nft command, without starting it each time.

Rules are text, as in the manual, because people will read them in the evidence.
"""

import ctypes
import re
from functools import cache
from typing import Any

from lab.emulation.namespace import Namespace
from lab.errors import BrokenError, UnfitError


def load(namespace: Namespace, rules: str) -> None:
    """Load a ruleset as one transaction."""
    _run(namespace, rules)


def counter(namespace: Namespace, table: str, name: str) -> int:
    """How many packets a named counter has seen."""
    text = _run(namespace, f"list counter {table} {name}")
    found = re.search(r"packets (\d+)", text)
    if found is None:
        raise BrokenError(f"nft shows no packets for the counter {name} of table {table}")
    return int(found[1])


@cache
def _library() -> Any:
    """libnftables(3), with the types of what it returns."""
    try:
        library = ctypes.CDLL("libnftables.so.1")
    except OSError as error:
        raise UnfitError("libnftables is not installed", fix="apt-get install nftables") from error
    library.nft_ctx_new.restype = ctypes.c_void_p
    for name in ("nft_ctx_get_output_buffer", "nft_ctx_get_error_buffer"):
        getattr(library, name).restype = ctypes.c_char_p
    return library


def _run(namespace: Namespace, commands: str) -> str:
    library = _library()
    with namespace.network():
        context = ctypes.c_void_p(library.nft_ctx_new(0))  # opens its netlink socket, so in here
        try:
            library.nft_ctx_buffer_output(context)
            library.nft_ctx_buffer_error(context)
            failed = library.nft_run_cmd_from_buffer(context, commands.encode())
            output: bytes = library.nft_ctx_get_output_buffer(context)
            errors: bytes = library.nft_ctx_get_error_buffer(context)
        finally:
            library.nft_ctx_free(context)
    if failed:
        raise BrokenError(f"nft refused {commands.split(maxsplit=1)[0]}: {' '.join(errors.decode().split())}")
    return output.decode()
