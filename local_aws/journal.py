"""
The file that makes the local AWS survive a kill: every acknowledged change, in the order in which they took effect.

A record is one write(2) of: length (4 bytes), CRC-32 (4 bytes), one line of JSON, the body. What a killed process has
written stays with the operating system, so no fsync is needed; only a power cut could lose it. A torn last record was
never acknowledged and is cut off; a record that is there but spoilt is never passed over. A record says when its
change took effect (`at`, microseconds since 1970; earlier versions did not), so that point-in-time recovery comes back;
times that AWS stamps itself (LastModified, CreateTime) start anew at each replay.
"""

import fcntl
import json
import logging
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

_FRAME = struct.Struct(">II")
_MAGIC = b"chatcensus local aws journal 1\n"


@dataclass(frozen=True)
class Record:
    """One change: *head* is JSON (a `kind` and what that kind needs), *body* the bytes of the request, if any."""

    head: dict[str, Any]
    body: bytes = b""


class Journal:
    """
    Append records to, and read them back from, `DIR/journal`.

    Raises: RuntimeError when another process has the journal open, or the file is no journal of ours.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.path = directory / "journal"
        # Requests carry whole conversations: for the owner's eyes only.
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._file)
            raise RuntimeError(
                f"{self.path} is in use by another local AWS: stop it or choose another --data"
            ) from error
        if os.fstat(self._file).st_size < len(_MAGIC):
            os.ftruncate(self._file, 0)
            self._write(_MAGIC)

    def records(self) -> Iterator[Record]:
        """
        Yield every whole record from the beginning, then cut off a torn end.

        Raises: RuntimeError where a record is damaged; the file stays as it is.
        """
        with self.path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise RuntimeError(f"{self.path} is no journal of this version: remove the directory to start afresh")
            whole = len(_MAGIC)
            while payload := self._next_payload(file.read, whole):
                whole += _FRAME.size + len(payload)
                head, _, body = payload.partition(b"\n")
                yield Record(json.loads(head), body)
        size = os.fstat(self._file).st_size
        if size > whole:
            log.warning("cut a torn record of %s bytes off the end of the journal", size - whole)
            os.ftruncate(self._file, whole)

    def append(self, record: Record) -> None:
        """Hand one record to the operating system; it is durable against a kill when this returns."""
        payload = json.dumps(record.head, ensure_ascii=False).encode() + b"\n" + record.body
        whole = os.fstat(self._file).st_size
        try:
            self._write(_FRAME.pack(len(payload), zlib.crc32(payload)) + payload)
        except OSError:  # a full disk: half a record in front of later ones would spoil them all
            os.ftruncate(self._file, whole)
            raise

    def clear(self) -> None:
        """Forget every record."""
        os.ftruncate(self._file, len(_MAGIC))

    def close(self) -> None:
        """Close the file; what still comes to `append` meets OSError."""
        os.close(self._file)
        self._file = -1  # the number may be another file's soon

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]

    def _next_payload(self, read: Callable[[int], bytes], offset: int) -> bytes | None:
        """Return the record at *offset*; None where the file ends, be it within a record."""
        frame = read(_FRAME.size)
        if len(frame) < _FRAME.size:
            return None
        length, checksum = _FRAME.unpack(frame)
        payload = read(length)
        if len(payload) < length and not _begins_with_record(payload, checksum):
            return None
        if not length or len(payload) < length or zlib.crc32(payload) != checksum:
            raise RuntimeError(
                f"{self.path} is damaged at byte {offset}: restore the file from a copy, or remove "
                f"{self.path.parent} to start afresh"
            )
        return payload


def _begins_with_record(rest: bytes, checksum: int) -> bool:
    """Say whether a whole record is at the start of *rest* after all: then its length is what is wrong."""
    running = 0
    for place in range(len(rest)):
        running = zlib.crc32(rest[place : place + 1], running)
        if running == checksum:
            return True
    return False
