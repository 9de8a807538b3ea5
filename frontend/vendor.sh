#!/bin/sh
# `make vendor`: rebuild the page's third-party file. `frontend/vendor.sh --check`: fail if the committed one is stale or types are wrong.
set -eu
cd "$(dirname "$0")"
npm ci --no-audit --no-fund --ignore-scripts
node build.mjs "$@"
npm run --silent types
