"""Builds the C++ extension with CMake and carries the prototxt files into the package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pybind11
from setuptools import Extension, find_packages, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent


class CMakeBuild(build_ext):
    """Compiles cpp/ into i2cnn/_native by CMakeLists.txt."""

    def build_extension(self, ext: Extension) -> None:
        target = Path(self.get_ext_fullpath(ext.name)).resolve()
        build = Path(self.build_temp).resolve() / "cmake"
        build.mkdir(parents=True, exist_ok=True)
        configure = [
            "cmake",
            "-S",
            str(ROOT),
            "-B",
            str(build),
            "-DCMAKE_BUILD_TYPE=Release",
            f"-DPython_EXECUTABLE={sys.executable}",
            f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
            f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={target.parent}",
            f"-DI2CNN_WERROR={os.environ.get('I2CNN_WERROR', 'OFF')}",
        ]
        try:
            subprocess.run(configure, check=True)
            subprocess.run(
                ["cmake", "--build", str(build), "--parallel", str(os.cpu_count() or 1)], check=True
            )
        except FileNotFoundError:
            sys.exit(
                "setup.py: cmake is missing; install it (Debian, Ubuntu: apt-get install cmake)"
            )
        except subprocess.CalledProcessError as error:
            sys.exit(
                f"setup.py: {error.cmd[0]} failed; on Debian and Ubuntu the extension needs\n"
                "  apt-get install g++ cmake liblmdb-dev libjpeg-dev libdeflate-dev python3-dev"
            )


class BuildWithPrototxt(build_py):
    """Copies prototxt/ into the built package as i2cnn/_prototxt."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            shutil.copytree(
                ROOT / "prototxt", Path(self.build_lib) / "i2cnn" / "_prototxt", dirs_exist_ok=True
            )


setup(
    # Folders of data files are packages of their own to setuptools.
    packages=[
        *find_packages(include=["i2cnn", "i2cnn.*"]),
        "i2cnn.datasets.synthetic_v1",
        "i2cnn.pages.static",
        "i2cnn.report.templates",
        "i2cnn.torchcaffe.shim.caffe",
    ],
    package_data={
        "i2cnn": ["py.typed", "*.pyi"],
        "i2cnn.datasets.synthetic_v1": ["*"],
        "i2cnn.models": ["*/*"],
        "i2cnn.pages.static": ["*"],
        "i2cnn.report.templates": ["*"],
        "i2cnn.torchcaffe.lenet": ["*.prototxt", "*.caffemodel"],
        "i2cnn.torchcaffe.proto": ["*.proto", "*.pyi"],
    },
    include_package_data=False,
    ext_modules=[Extension("i2cnn._native", [])],
    cmdclass={"build_ext": CMakeBuild, "build_py": BuildWithPrototxt},
    zip_safe=False,
)
