"""Lays the sources into one file: what can be used, what is edited, what all that means, then a table of contents, then
the rest."""

import ast
import hashlib
import re
import symtable
import tomllib
from dataclasses import dataclass
from pathlib import Path

from lib.tools.bundle.checks import check, used_at_once
from lib.tools.bundle.imports import LINE, merged_imports, name_and_meaning
from lib.tools.bundle.reference import reference
from lib.tools.bundle.source import STORY, BundleError, Source, lines_of, read

LARGEST = 1024 * 1024  # bytes; mcp's upload tool takes no more, TagoIO itself 5 MB
EDIT_ME = re.compile(r"^# -+ EDIT ME *$", re.MULTILINE)
ENTRYPOINT = re.compile(r"^# -+ the entrypoint *$", re.MULTILINE)
NOTHING_BELOW = f"# {'-' * 87} nothing below needs you"
LONGEST = LINE - len("# line 12345  ")
COLLECTOR = "import gc"
STARTS = f"{COLLECTOR}\n\ngc.disable()  # until all is imported: no search for garbage, as start-up is billed\n\n"
QUIET = "# ruff: noqa: E402  (the imports stand below what is edited)"


@dataclass(frozen=True)
class Bundle:
    """The one file, and of it what the developer may have written: the part between its two marker lines. `version`
    names the release and, by a few letters, the very sources of all the rest."""

    text: str
    edit_me: str
    version: str = ""


@dataclass(frozen=True)
class Part:
    """A piece of the one file, as the table of contents names it."""

    title: str
    text: str


def bundle(root: Path) -> Bundle:
    """The one file of the sources in `root`. Raises BundleError."""
    written = text_of(root / STORY, STORY)
    story = read(STORY, written)
    begin, end = (_line_of(marker, written) for marker in (EDIT_ME, ENTRYPOINT))
    if begin > end:
        raise BundleError(f"{STORY} has the line '# ---- the entrypoint' before the line '# ---- EDIT ME'")
    modules = _in_order(root, story)
    head = written[: _end_of_docstring(written)].rstrip()
    constants = "".join(story.lines[:begin]).removeprefix(head).strip()
    edited = "".join(story.lines[begin:end]).strip()
    check(story, f"{constants}\n{edited}", modules)
    lines = {line for source in [*modules, story] for line in source.imports}
    early = _needed_at_once(f"{constants}\n{edited}", lines)
    first = [head, *([merged_imports(early).rstrip()] if early else []), *([constants] if constants else [])]
    rest = [
        *_imports(lines, early),
        *(Part(f"{module.path}: {_summary(module)}", f"{_banner(module)}\n\n{module.code}") for module in modules),
        Part("the entrypoint", "".join(story.lines[end:]).strip() + "\n"),
    ]
    names, meanings = reference(root)
    first += [f"\n{names}"] if names else []
    edited += f"\n\n\n{meanings}" if meanings else ""
    version = f"{release_of(root)} {hashlib.sha256(''.join(part.text for part in rest).encode()).hexdigest()[:8]}"
    text = _with_contents("\n\n".join(first) + f"\n\n\n{edited}\n\n\n", rest, version)
    if len(text.encode()) > LARGEST:
        raise BundleError(f"the bundle has {len(text.encode())} bytes; {LARGEST} is the most that can be uploaded")
    return Bundle(text, "".join(lines_of(written)[begin:end]), version)


def _needed_at_once(code: str, lines: set[str]) -> set[str]:
    """The imports that what stands above them cannot do without; as few as can be."""
    used = set(used_at_once(symtable.symtable(code, "", "exec")))
    return {line for line in lines if name_and_meaning(line)[0] in used}


def _imports(lines: set[str], early: set[str]) -> list[Part]:
    """Where `start` is there to turn the collector on again, it is off until all is imported."""
    starts = STARTS if COLLECTOR in lines - early else ""
    rest = lines - early - ({COLLECTOR} if starts else set())
    return [Part("imports", starts + merged_imports(rest).rstrip())] if rest else []


def release_of(root: Path) -> str:
    """Name and version, as pyproject.toml has them."""
    if not (root / "pyproject.toml").is_file():
        return "unreleased"
    project = tomllib.loads(text_of(root / "pyproject.toml", "pyproject.toml"))["project"]
    return f"{project['name']} {project['version']}"


def _with_contents(edited: str, rest: list[Part], version: str) -> str:
    """The table of contents stands between the two, and knows the line of each part of the rest."""
    at = edited.count("\n") + len(rest) + 6  # lines above the first part, those of the table too
    contents, body = [], "\n\n".join(part.text for part in rest)
    for part in rest:
        title = part.title if len(part.title) <= LONGEST else f"{part.title[: LONGEST - 1].rstrip()}…"
        contents.append(f"# line {at + 1:5d}  {title}")
        at += part.text.count("\n") + 2
    return "\n".join([f"{edited}{NOTHING_BELOW}", f"# {version}", "", *contents, QUIET, "", "", body])


def _summary(module: Source) -> str:
    return re.split(r"[.:;] |[.]$", " ".join(module.summary.split()), maxsplit=1)[0]


def text_of(file: Path, path: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BundleError(f"{path} cannot be read: {error}") from error


def _line_of(marker: re.Pattern[str], written: str) -> int:
    """The number of the one line that a marker matches, from 0."""
    found = [written.count("\n", 0, match.start()) for match in marker.finditer(written)]
    if len(found) != 1:
        name = "EDIT ME" if marker is EDIT_ME else "the entrypoint"
        raise BundleError(f"{STORY} needs one line '# ---- {name}' and has {len(found)}")
    return found[0]


def _in_order(root: Path, story: Source) -> list[Source]:
    """The modules that are needed, each after those that it must find there."""
    done: dict[str, Source] = {}
    waiting: list[tuple[Source, dict[str, set[str]]]] = [(story, {**story.needs, **story.later})]

    def add(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = " -> ".join(map(_path_of, [*path[path.index(name) :], name]))
            raise BundleError(f"imports go round in a circle: {circle}")
        if name in done:
            return
        module = read(_path_of(name), text_of(root / _path_of(name), _path_of(name)))
        for needed in module.needs:
            add(needed, (*path, name))
        done[name] = module
        waiting.append((module, module.later))

    while waiting:
        for name in waiting.pop(0)[1]:
            add(name, ())
    for source in [story, *done.values()]:
        for name, taken in [*source.needs.items(), *source.later.items()]:
            for missing in sorted(taken - _bound_in(done[name])):
                raise BundleError(f"{source.path} imports {missing} of {_path_of(name)}, which has no such name")
    return list(done.values())


def _path_of(name: str) -> str:
    return f"{name.replace('.', '/')}.py"


def _bound_in(source: Source) -> set[str]:
    """All names that can be imported from a file, as it stands."""
    taken = {name for names in source.needs.values() for name in names}
    return {*source.names, *taken, *(name_and_meaning(line)[0] for line in source.imports)}


def _end_of_docstring(story: str) -> int:
    node = ast.parse(story).body[0]
    return sum(len(line) for line in lines_of(story)[: node.end_lineno])


def _banner(module: Source) -> str:
    rule = "# " + "=" * 100
    summary = "\n".join(f"# {line}" for line in module.summary.splitlines())
    return f"{rule}\n# {module.path}\n{summary}\n{rule}"
