"""tools/offline_bundle.sh: what it packs for a machine without network, and its install.sh."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from packaging.version import Version

ROOT = Path(__file__).parents[1]
INSTALL = ROOT / "tools" / "offline_install.sh"
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("offline", ROOT / "tools" / "offline_wheels.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_packs_what_the_machine_does_not_have(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All wheels are empty ones, so no package index is asked."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    (tmp_path / "index").mkdir()
    tool.write_empty_wheel(tmp_path / "index", "lmdb", "1.7")
    tool.write_empty_wheel(tmp_path / "index", "rich", "99")
    needs = tool.requirements("3.12", (), train_only=True)
    least = {need.name: str(min(Version(s.version) for s in need.specifier)) for need in needs}
    there = tmp_path / "there.txt"
    lines = [f"{name}=={v}" for name, v in least.items() if name != "lmdb"]
    there.write_text("\n".join([*lines, "Some_Other.Thing==1+local", ""]))
    have = tool.read_have(there)
    assert have["some-other-thing"] == "1+local"
    tool.download(tmp_path / "wheels", "3.12", have, [str(need) for need in needs])
    assert [path.name for path in (tmp_path / "wheels").iterdir()] == ["lmdb-1.7-py3-none-any.whl"]


def test_what_the_machine_has_in_a_wrong_version_is_packed(
    tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    needs = tool.requirements("3.12", ("opencv-python-headless",), train_only=True)
    have = {"opencv-python-headless": "5.0.0.93", "numpy": "2.5.2", "jax": "0.1"}
    assert tool.usable(have, needs) == {"numpy": "2.5.2", "jax": "0.1"}
    assert "opencv-python-headless 5.0.0.93 is there" in capsys.readouterr().out


def test_requirements_are_those_of_the_machine(tool: ModuleType) -> None:
    def names(version: str, have: tuple[str, ...] = (), train_only: bool = False) -> set[str]:
        return {need.name for need in tool.requirements(version, have, train_only)}

    assert {"dlib-bin", "face_recognition_models", "submitit"} < names("3.12")
    assert names("3.12") - names("3.12", train_only=True) == {"dlib-bin", "face_recognition_models"}
    assert names("3.10") - names("3.12") == {"tomli"}
    # The usual build of OpenCV needs libGL, which a cluster's node has not.
    assert "opencv-python-headless" in names("3.12")
    assert "opencv-python" in names("3.12", have=("opencv-python",))


def test_a_list_without_versions_is_refused(tool: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "have.txt"
    path.write_text("torch\n")
    with pytest.raises(SystemExit, match=r"have\.txt: 'torch' is no package and version"):
        tool.read_have(path)


def install(bundle: Path, target: Path) -> subprocess.CompletedProcess[str]:
    shutil.copy(INSTALL, bundle / "install.sh")
    command = ["sh", str(bundle / "install.sh"), str(target), sys.executable]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_installs_into_a_folder(tool: ModuleType, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    (bundle / "wheels").mkdir(parents=True)
    (bundle / "python").write_text(f"{HERE}\n")
    tool.write_empty_wheel(bundle / "wheels", "thing", "1")
    install(bundle, tmp_path / "target")
    assert (tmp_path / "target" / "thing-1.dist-info").is_dir()


def test_another_python_is_refused(tmp_path: Path) -> None:
    (tmp_path / "python").write_text("3.99\n")
    found = install(tmp_path, tmp_path / "target")
    assert found.returncode == 1
    assert f"is Python {HERE}, and this folder is for 3.99" in found.stderr
    assert f"--python {HERE}" in found.stderr
    assert not (tmp_path / "target").exists()
