#!/bin/sh
# Packs a bundle for PYTHON (default: the checkout's, whose packages but i2cnn count as there), installs
# it in a namespace without network, without headers and libraries of ours, and trains a little there.
#   sh tools/check_offline.sh [PYTHON]
# Needs unshare, and a user who may mount in a namespace.
set -eu
if [ "${1:-}" = --inside ]; then
    python=$2
    cd "$3"
    for path in /usr/include/lmdb.h /usr/include/jpeglib.h /usr/include/*/jconfig.h /usr/include/libdeflate.h \
        /usr/lib/*/liblmdb.so* /usr/lib/*/libjpeg.so* /usr/lib/*/libdeflate.so*; do
        [ ! -e "$path" ] || mount --bind empty "$path"
    done
    sh bundle/install.sh target "$python" >install.log
    mv bundle moved
    export PYTHONPATH="$PWD/target" OMP_NUM_THREADS=1
    i2cnn() { "$python" -m i2cnn "$@" >>try.log; }
    data=target/i2cnn/datasets/synthetic_v1
    i2cnn faces --dataset synthetic --out faces.csv
    i2cnn patches faces.csv --root $data --size 64 --k 1 --task seven --subjects S01,S02 \
        --out train --mean mean.binaryproto
    i2cnn patches faces.csv --root $data --size 64 --k 1 --task seven --subjects S03 --out validation
    i2cnn train --train train --validation validation --mean mean.binaryproto --classes 7 --out net \
        --profile quick --max-iter 2 --batch-size 4 --device cpu
    i2cnn features faces.csv --root $data --net net --out features.npy --k 1 --device cpu
    exit
fi
cd "$(dirname "$0")/.."
python=${1:-.venv/bin/python}
python=$(cd "$(dirname "$python")" && pwd)/$(basename "$python")
work=$PWD/build/offline
rm -rf "$work"
mkdir -p "$work"
touch "$work/empty"
"$python" -m pip list --format=freeze | grep -v ^i2cnn >"$work/have.txt"
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
sh tools/step.sh "Bundle for Python $version" sh tools/offline_bundle.sh "$work/bundle" \
    --python "$version" --have "$work/have.txt" --train-only
sh tools/step.sh "Installed and tried without network" \
    unshare --map-root-user --net --mount sh tools/check_offline.sh --inside "$python" "$work"
