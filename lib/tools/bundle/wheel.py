"""A wheel of lib, for those who have a place for files: then analysis.py alone is pasted, and its header names it."""

import base64
import hashlib
import re
import tomllib
import zipfile
from pathlib import Path

from lib.tools.bundle.layout import EDIT_ME, text_of
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


def script_for(root: Path, wheel: Path, at: str) -> str:
    """analysis.py with a header that names the wheel, by its address `at` (a folder's, or "" for the file itself) and
    its hash, and with what can be used above what is edited. Raises BundleError."""
    written = text_of(root / STORY, STORY)
    found = HEADER.search(written)
    if not found:
        raise BundleError(f"{STORY} has no header '# /// script'")
    name = tomllib.loads(text_of(root / "pyproject.toml", "pyproject.toml"))["project"]["name"]
    address = f"{at.rstrip('/')}/{wheel.name}" if at else wheel.resolve().as_uri()
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    line = f'#   "{name} @ {address}#sha256={digest}",\n'
    header = found[0].replace("# dependencies = [\n", f"# dependencies = [\n{line}", 1)
    if line not in header:
        raise BundleError(f"{STORY} has no list of dependencies in its header")
    shown = reference(root)
    with_header = written.replace(found[0], header, 1)
    return EDIT_ME.sub(lambda mark: f"{shown}\n\n\n{mark[0]}" if shown else mark[0], with_header, count=1)


def _dependencies(written: str) -> list[str]:
    found = HEADER.search(written)
    return DEPENDENCY.findall(found[0]) if found else []


def _hash(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
