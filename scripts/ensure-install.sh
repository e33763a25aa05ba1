#!/bin/sh
# Installs the locked dependencies when they are missing or older than the lock file.
# `npm run demo` and `npm test` call it first, so that each works in a fresh clone.
set -eu
cd "$(dirname "$0")/.."
if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  npm ci --loglevel=error
  touch node_modules/.package-lock.json
fi
