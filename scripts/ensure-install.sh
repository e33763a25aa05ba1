#!/bin/sh
# Installs the locked dependencies when they are missing or not those of the lock file.
# `npm run demo` and `npm test` call it first, so that each works in a fresh clone.
set -eu
cd "$(dirname "$0")/.."
if ! cmp -s package-lock.json node_modules/.installed-lock.json; then
  npm ci --loglevel=error
  cp package-lock.json node_modules/.installed-lock.json
fi
