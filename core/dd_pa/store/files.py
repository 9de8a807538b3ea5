from __future__ import annotations

from typing import Protocol


class Files(Protocol):
    """The calls that change a spool, as the `os` module has them; tests pass one that records or fails."""

    def open(self, path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        """See `os.open`."""
        ...

    def write(self, fd: int, data: bytes, /) -> int:
        """See `os.write`."""
        ...

    def rename(self, src: str, dst: str, *, src_dir_fd: int | None = None, dst_dir_fd: int | None = None) -> None:
        """See `os.rename`."""
        ...

    def unlink(self, path: str, *, dir_fd: int | None = None) -> None:
        """See `os.unlink`."""
        ...
