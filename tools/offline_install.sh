#!/bin/sh
# Installs the i2cnn of this folder, which tools/offline_bundle.sh packed, without a network:
#   sh install.sh TARGET [PYTHON]
# TARGET is a folder of its own; nothing else is touched.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] || { echo "usage: sh install.sh TARGET [PYTHON]" >&2; exit 2; }
python=${2:-python3}
wanted=$(cat "$here/python")
found=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
[ "$found" = "$wanted" ] || {
    echo "install.sh: $python is Python $found, and this folder is for $wanted; pack it again by" \
        "tools/offline_bundle.sh DIR --python $found" >&2
    exit 1
}
mkdir -p "$1"
target=$(cd "$1" && pwd)

install() { # install TARGET FILE...
    into=$1
    shift
    "$python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-compile \
        --no-cache-dir --upgrade --no-build-isolation --target "$into" "$@"
}
set -- "$here"/wheels/*.whl
[ ! -e "$1" ] || install "$target" "$@"

if [ -d "$here/source" ]; then
    command -v "${CXX:-c++}" >/dev/null || { echo "install.sh: a C++ compiler is missing" >&2; exit 1; }
    tools=$(mktemp -d)
    trap 'rm -rf "$tools"' EXIT
    set -- "$here"/build/*.whl
    [ ! -e "$1" ] || install "$tools" "$@"
    mkdir -p "$target/i2cnn.libs"
    cp "$here"/native/lib/lib*.so.* "$target/i2cnn.libs"
    # The libraries are found where they are now, and by the extension beside it wherever both go.
    export PYTHONPATH="$tools:$target" PATH="$tools/bin:$PATH"
    export CPATH="$here/native/include" LIBRARY_PATH="$here/native/lib"
    export CMAKE_INCLUDE_PATH="$here/native/include" CMAKE_LIBRARY_PATH="$here/native/lib"
    # shellcheck disable=SC2016
    export LDFLAGS='-Wl,-rpath,$ORIGIN/../i2cnn.libs'
    install "$target" "$here"/source/*.tar.gz
fi
PYTHONPATH=$target "$python" -c 'import i2cnn._native'
echo "Installed. Before you use it:"
echo "  export PYTHONPATH=$target PATH=$target/bin:\$PATH"
echo "  $python -m i2cnn doctor"
