"""The wheels that i2cnn needs on a machine without network, for another Python than this one too.

    python tools/offline_wheels.py DIR --python 3.12 [--have FILE] [--train-only]

DIR/wheels gets what runs, DIR/build what builds the extension from source. What the machine has
already, FILE (`pip list --format=freeze` there), is left out, and what is packed goes
with those versions: pip sees each as an empty wheel that needs nothing.
"""

from __future__ import annotations

import argparse
import platform
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
#: Finds faces; a machine that only trains does without.
FACES = ("dlib-bin", "face-recognition-models")
#: Versions of the C library whose wheels are taken; machines with an older one are rare by now.
GLIBC = range(5, 29)


def requirements(version: str, have: Iterable[str], train_only: bool) -> list[Requirement]:
    """What i2cnn asks of a machine with that Python; `have` are names of packages there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found = []
    for text in (*project["dependencies"], *project["optional-dependencies"]["cluster"]):
        need = Requirement(text)
        if need.marker and not need.marker.evaluate({"python_version": version}):
            continue
        need.marker = None
        if need.name == "opencv-python" and "opencv-python" not in have:
            need.name = "opencv-python-headless"  # the other one needs libGL
        if not (train_only and canonicalize_name(need.name) in FACES):
            found.append(need)
    return found


def read_have(path: Path | None) -> dict[str, str]:
    """Version of each package that the machine has, by its canonical name."""
    found = {}
    for line in path.read_text().splitlines() if path else ():
        match = re.fullmatch(r"([\w.-]+)==([\w.+!-]+)", line.strip())
        if match:
            found[str(canonicalize_name(match[1]))] = match[2]
        elif line.strip() and not line.startswith(("#", "-e ")):
            sys.exit(
                f"{path}: {line!r} is no package and version; write it by "
                "`pip list --format=freeze`"
            )
    return found


def usable(have: dict[str, str], needs: Iterable[Requirement]) -> dict[str, str]:
    """What i2cnn can use of what the machine has; the rest is packed, and comes before it there."""
    wanted = {str(canonicalize_name(need.name)): need.specifier for need in needs}
    found = {}
    for name, number in have.items():
        if name not in wanted or wanted[name].contains(number, prereleases=True):
            found[name] = number
        else:
            print(f"{name} {number} is there, but i2cnn needs {wanted[name]}: packed")
    return found


def write_empty_wheel(folder: Path, name: str, version: str) -> None:
    """A wheel with nothing in it."""
    stem = f"{name.replace('-', '_')}-{version}"
    files = {
        "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "RECORD": "",
    }
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as wheel:
        for file, content in files.items():
            wheel.writestr(f"{stem}.dist-info/{file}", content)


def download(out: Path, version: str, have: dict[str, str], needs: Sequence[str]) -> None:
    """Put the wheels of some requirements, and of theirs, into a folder."""
    out.mkdir(parents=True, exist_ok=True)
    machine = platform.machine()
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC]
    platforms += [f"manylinux{name}_{machine}" for name in ("1", "2010", "2014")]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for package, number in have.items():
            write_empty_wheel(folder, package, number)
        constraints = folder / "constraints.txt"
        constraints.write_text("".join(f"{p}=={number}\n" for p, number in have.items()))
        pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
        models = [need for need in needs if need.startswith("face")]
        if models:  # it comes as source only, and holds data
            subprocess.run([*pip, "wheel", "--no-deps", "-w", str(folder), *models], check=True)
        subprocess.run(
            [
                *(*pip, "download", "--dest", str(out), "--only-binary=:all:"),
                *("--python-version", version, "--implementation", "cp"),
                *(word for p in platforms for word in ("--platform", p)),
                *("--find-links", str(folder), "--constraint", str(constraints), *needs),
            ],
            check=True,
        )
    for wheel in out.glob("*.whl"):
        if canonicalize_name(wheel.name.split("-")[0]) in have:
            wheel.unlink()


def main() -> None:
    """Download them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out", type=Path)
    parser.add_argument("--python", required=True)
    parser.add_argument("--have", type=Path)
    parser.add_argument("--train-only", action="store_true")
    parser.add_argument("--source", action="store_true", help="also what builds the extension")
    options = parser.parse_args()
    have = read_have(options.have)
    needs = requirements(options.python, have, options.train_only)
    have = usable(have, needs)
    download(options.out / "wheels", options.python, have, [str(need) for need in needs])
    if options.source:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())
        tools = [*project["build-system"]["requires"], "cmake>=3.18"]
        download(options.out / "build", options.python, have, tools)


if __name__ == "__main__":
    main()
