"""A log as blocks of whole lines, of any size: a file, a gzip file or standard input."""

from __future__ import annotations

import gzip
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import cast

BLOCK = 1 << 20  # bytes read at once; a line longer than four of them is cut
GZIP = b"\x1f\x8b"
STDIN = "-"


class Unusable(Exception):
    """A log that cannot be read; one line that says where, what and what to do."""


@dataclass(frozen=True)
class Block:
    """Whole lines of a log; ``first`` is the number of the first one, from 1."""

    data: bytes
    first: int


def _opened(log: str) -> AbstractContextManager[BufferedReader]:
    if log == STDIN:
        if sys.stdin.isatty():
            raise Unusable("-: nothing is piped in; name a log file")
        return nullcontext(cast("BufferedReader", sys.stdin.buffer))
    path = Path(log)
    if path.is_dir():
        raise Unusable(f"{log}: a folder; give one log file, or - for standard input")
    if path.exists() and not path.is_file() and not path.is_fifo():
        raise Unusable(f"{log}: no file; give a log file, or - for standard input")
    return path.open("rb")


def _is_binary(head: bytes) -> bool:
    """Whether the first bytes are no text: a NUL, or many characters that no terminal prints."""
    odd = sum(byte < 32 and byte not in b"\t\n\r\x08\x0c\x1b" for byte in head[:4096])
    return b"\0" in head or odd * 20 > len(head[:4096])


def _whole_lines(read: Callable[[int], bytes], log: str) -> Iterator[Block]:
    rest, number, started = b"", 1, False
    while data := read(BLOCK):
        if not started and _is_binary(data):
            raise Unusable(f"{log}: a binary file; give the text that the job printed")
        started = True
        data = rest + data
        end = data.rfind(b"\n") + 1 or (len(data) if len(data) > 4 * BLOCK else 0)
        rest, data = data[end:], data[:end]
        if data:
            yield Block(data, number)
            number += data.count(b"\n")
    if rest.strip():
        yield Block(rest, number)
    elif not started:
        raise Unusable(f"{log}: empty; give the log of the job")


def blocks(log: str) -> Iterator[Block]:
    """The log ``log``, a path or ``-``, in blocks of about 1 MiB.

    Raises:
        Unusable: it is no file, empty, binary, or a gzip file that breaks off.
    """
    try:
        with _opened(log) as stream:
            if not stream.peek(2).startswith(GZIP):
                yield from _whole_lines(stream.read, log)
                return
            with gzip.open(stream) as unpacked:
                yield from _whole_lines(unpacked.read, log)
    except (gzip.BadGzipFile, EOFError) as error:
        raise Unusable(f"{log}: a damaged gzip file ({str(error).rstrip('.')}); unpack what is left of it") from None
    except OSError as error:
        raise Unusable(f"{log}: {error.strerror or error}; give a log file, or - for standard input") from None
