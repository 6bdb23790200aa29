#!/bin/sh
# Installs the wheel and the sdist that `make wheel` left in DIR, each into a bare virtual environment
# under build/distribution, and tries them outside of the checkout. The wheel gets the newest packages
# that its bounds allow (constraints.txt holds torch), and the fast part of the tests runs against it.
#   sh tools/check_distribution.sh [PYTHON [DIR]]
set -eu
cd "$(dirname "$0")/.."
checkout=$PWD
python=${1:-python3}
dist=$(cd "${2:-dist}" && pwd)
work=$checkout/build/distribution
fast="tests/util tests/datasets tests/faces tests/patches tests/network tests/svm tests/torchcaffe/formats"
unset PYTHONPATH
rm -rf "$work"
mkdir -p "$work"

bare() { # bare NAME FILE PACKAGE...: an environment with the distribution in FILE
    name=$1
    file=$2
    shift 2
    sh tools/step.sh "Bare environment with $(basename "$file")" sh -euxc '
        "$1" -m venv "$2"; python=$2/bin/python; file=$3; shift 3
        # The runtime first: anything else would let pip choose a build with CUDA.
        "$python" -m pip install --quiet --constraint constraints.txt torch
        "$python" -m pip install --quiet --constraint constraints.txt "$file" "$@"
    ' - "$python" "$work/$name" "$file" "$@"
    mkdir "$work/try-$name"
    (cd "$work/try-$name" && "../$name/bin/python" "$checkout/tests/programs/try_installation.py" "$checkout" .)
}

bare wheel "$(ls "$dist"/i2cnn-*-manylinux*.whl)" pytest hypothesis
cp -r tests pyproject.toml "$work/try-wheel"
# shellcheck disable=SC2086
(cd "$work/try-wheel" && ../wheel/bin/python -m pytest -q -p no:cacheprovider $fast)
rm -rf "$work/wheel"
bare sdist "$(ls "$dist"/i2cnn-*.tar.gz)"
rm -rf "$work/sdist"
