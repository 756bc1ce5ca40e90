"""A wheel of lib, for those who have a place for files: then analysis.py alone is pasted, and its header names it."""

import base64
import hashlib
import re
import tomllib
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

from lib.message.address import is_web_address
from lib.tagoio.transport import THIS_MACHINE
from lib.tools.bundle.layout import EDIT_ME, ENTRYPOINT, release_of, text_of
from lib.tools.bundle.reference import reference
from lib.tools.bundle.source import STORY, BundleError

HEADER = re.compile(r"^# /// script\n(?:#.*\n)*?# ///$", re.MULTILINE)
DEPENDENCY = re.compile(r'^#   "(.+)",?$', re.MULTILINE)
WHEN = (1980, 1, 1, 0, 0, 0)  # the same sources give the same wheel


def write_wheel(root: Path, folder: Path) -> Path:
    """The wheel of lib without its tools, in `folder`. Raises BundleError, OSError."""
    project = tomllib.loads(text_of(root / "pyproject.toml", "pyproject.toml"))["project"]
    name, version = project["name"].replace("-", "_"), project["version"]
    sources = [path for path in sorted((root / "lib").rglob("*.py")) if "tools" not in path.relative_to(root).parts]
    if not sources:
        raise BundleError("lib has no sources")
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in sources}
    info = f"{name}-{version}.dist-info"
    metadata = [
        "Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {version}",
        f"Summary: {project['description']}",
        f"Requires-Python: {project['requires-python']}",
        *(f"Requires-Dist: {each}" for each in _dependencies(text_of(root / STORY, STORY))),
    ]  # fmt: skip
    files[f"{info}/METADATA"] = ("\n".join(metadata) + "\n").encode()
    files[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nGenerator: tagorun-notify\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    )
    record = [f"{path},sha256={_hash(content)},{len(content)}" for path, content in files.items()]
    files[f"{info}/RECORD"] = ("\n".join([*record, f"{info}/RECORD,,"]) + "\n").encode()
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path, WHEN), content, zipfile.ZIP_DEFLATED)
    return wheel


def check_place(at: str) -> None:
    """Whether pip and uv can fetch a wheel from this folder, and nobody between can change it. Raises BundleError."""
    place = urlsplit(at)
    is_file = place.scheme == "file" and place.path.startswith("/") and place.hostname in (None, "localhost")
    if not (is_file or is_web_address(at)) or re.search(r'["\s\\]', at) or place.query or place.fragment:
        raise BundleError(f'--at "{at}" is not the address of a folder, such as https://files.example.com/notify')
    if place.username or place.password:
        raise BundleError("--at holds a user or a password, which whoever reads the script would have")
    if place.scheme == "http" and not THIS_MACHINE.fullmatch(place.hostname or ""):
        raise BundleError(f"--at is plain http to {place.hostname}: whoever is between can change the wheel; use https")


def version_of(root: Path, wheel: Path) -> str:
    """The release and, by a few letters, the very wheel."""
    return f"{release_of(root)} {_digest(wheel)[:8]}"


def script_for(root: Path, wheel: Path, at: str) -> str:
    """analysis.py with a header that names the wheel, by its address `at` (a folder's, or "" for the file itself) and
    its hash, with what can be used above what is edited, and what it means below. Raises BundleError."""
    written = text_of(root / STORY, STORY)
    found = HEADER.search(written)
    if not found:
        raise BundleError(f"{STORY} has no header '# /// script'")
    name = tomllib.loads(text_of(root / "pyproject.toml", "pyproject.toml"))["project"]["name"]
    address = f"{at.rstrip('/')}/{wheel.name}" if at else wheel.resolve().as_uri()
    line = f'#   "{name} @ {address}#sha256={_digest(wheel)}",\n'
    header = found[0].replace("# dependencies = [\n", f"# dependencies = [\n{line}", 1)
    if line not in header:
        raise BundleError(f"{STORY} has no list of dependencies in its header")
    names, meanings = reference(root)
    below = "\n\n\n".join(filter(None, [meanings, f"# {version_of(root, wheel)}"]))
    text = written.replace(found[0], header, 1)
    for marker, part in ((EDIT_ME, names), (ENTRYPOINT, below)):
        text = marker.sub(lambda mark: f"{part}\n\n\n{mark[0]}" if part else mark[0], text, count=1)  # noqa: B023
    return text


def _dependencies(written: str) -> list[str]:
    found = HEADER.search(written)
    return DEPENDENCY.findall(found[0]) if found else []


def _digest(wheel: Path) -> str:
    return hashlib.sha256(wheel.read_bytes()).hexdigest()


def _hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
