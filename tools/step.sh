#!/bin/sh
# One step of the set-up: a line on the terminal, its output in build/setup.log.
#   sh tools/step.sh TITLE COMMAND [ARGUMENT...]
set -u
log=build/setup.log
title=$1
shift
mkdir -p build
printf '%s ... ' "$title"
printf '\n== %s, %s\n' "$title" "$(date)" >>$log
"$@" >>$log 2>&1 && echo done && exit 0
status=$?
echo "failed. Its last lines:"
tail -n 15 $log
echo "All of it is in $log."
exit $status
