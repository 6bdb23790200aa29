#!/bin/sh
# Checks for the few system packages that pip cannot bring. Missing ones are installed with apt-get
# when this runs as root; otherwise the exact line to run is printed and the script ends with status 1.
set -eu

python=${PYTHON:-python3}
missing=""
need() { # need PACKAGE COMMAND...: the package is missing when the command fails
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}
header() { echo "#include <cstddef>
#include <cstdio>
#include <$1>" | c++ -x c++ -fsyntax-only -; }
library() { ldconfig -p 2>/dev/null | grep -q "$1" || [ -n "$(find /usr/lib /lib -name "$1*" -print -quit)" ]; }

need g++ command -v c++
need cmake command -v cmake
need make command -v make
if command -v c++ >/dev/null 2>&1; then
    need liblmdb-dev header lmdb.h
    need libjpeg-dev header jpeglib.h
    need libdeflate-dev header libdeflate.h
else
    missing="$missing liblmdb-dev libjpeg-dev libdeflate-dev"
fi
need python3-venv "$python" -c "import ensurepip, venv"
need python3-dev "$python" -c "import os, sysconfig; os.stat(os.path.join(sysconfig.get_paths()['include'], 'Python.h'))"
if [ "${I2CNN_BROWSER:-OFF}" = ON ]; then
    need chromium command -v chromium
    need chromium-driver command -v chromedriver
fi
need libgl1 library libGL.so.1
need libglib2.0-0 library libgthread-2.0.so.0

[ -n "$missing" ] || exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "Installing system packages:$missing"
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing
else
    echo "System packages are missing. Run this line, then the same make command again:" >&2
    echo "  sudo apt-get install$missing" >&2
    exit 1
fi
