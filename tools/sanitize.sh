#!/bin/sh
# Runs the tests of the extension, and its fuzzer for a short time, under AddressSanitizer and UBSan.
# Uses a separate build, in which warnings are errors. Needs gcc; if clang++ is installed, its
# warnings are errors too.
#   sh tools/sanitize.sh [python] [seconds of fuzzing]
set -eu
cd "$(dirname "$0")/.."
python=${1:-.venv/bin/python}
seconds=${2:-20}
python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python")
build=build/sanitize
tree=$build/tree

includes=$("$python" -m pybind11 --includes | sed 's/-I/-isystem/g')
if command -v clang++ > /dev/null; then
    for source in cpp/*.cpp cpp/*/*.cpp; do
        # shellcheck disable=SC2086
        clang++ -std=c++17 -fsyntax-only -Wall -Wextra -Wconversion -Werror -Icpp $includes "$source"
    done
fi
cmake -S . -B $build -DI2CNN_SANITIZE=ON -DI2CNN_WERROR=ON -DCMAKE_BUILD_TYPE=None \
    -DCMAKE_CXX_COMPILER=g++ -DPython_EXECUTABLE="$python" -Dpybind11_DIR="$("$python" -m pybind11 --cmakedir)" > /dev/null
cmake --build $build --parallel 2

UBSAN_OPTIONS=print_stacktrace=1 $build/fuzz_patches "$seconds"

# A copy of the package with the sanitized extension.
rm -rf $tree
mkdir -p $tree
cp -r i2cnn prototxt tests pyproject.toml $tree/
rm -f $tree/i2cnn/_native*.so
cp $build/_native*.so $tree/i2cnn/
cd $tree
# Python itself reports leaks, so the leak detector is off; tests/patches has leak tests of its own.
export LD_PRELOAD="$(gcc -print-file-name=libasan.so) $(gcc -print-file-name=libubsan.so) $(gcc -print-file-name=libstdc++.so)"
export ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 PYTHONPATH=. I2CNN_SANITIZED=1
"$python" -c 'import i2cnn._native as n; print(n.__file__); assert "sanitize" in n.__file__'
"$python" -m pytest -q -p no:cacheprovider tests/patches tests/torchcaffe/layers/test_kernels.py
