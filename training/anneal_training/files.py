"""Files that are complete or absent, their hashes, and room for them."""

import hashlib
import os
import shutil
from pathlib import Path

from .program import Problem


def sha256_of_file(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sync(path: Path) -> None:
    """Brings a file, or the list of names in a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(partial: Path, final: Path) -> None:
    """Gives a finished file or folder its name; until then nobody sees it, also after a power cut."""
    for path in [partial, *partial.rglob("*")] if partial.is_dir() else [partial]:
        sync(path)
    os.replace(partial, final)
    sync(final.parent)


def remove(path: Path) -> None:
    """Removes a file or a folder; one that is not there is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def require_space(needs: dict[Path, int]) -> None:
    """`needs`: bytes by the folder they will be written to. Folders of one file system share its room."""
    by_device: dict[int, tuple[Path, int]] = {}
    for folder, size in needs.items():
        device = os.stat(folder).st_dev
        known = by_device.get(device, (folder, 0))
        by_device[device] = (known[0], known[1] + size)
    for folder, size in by_device.values():
        free = shutil.disk_usage(folder).free
        if size > free:
            raise Problem(
                f"Not enough disk space at {folder}: {size} bytes are needed ({size / 1e9:.1f} GB), "
                f"{free} bytes are free ({free / 1e9:.1f} GB). Remedy: free space, or choose another folder."
            )
