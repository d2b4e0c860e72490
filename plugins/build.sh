#!/usr/bin/env bash
# Builds the default bundle's components and those that tests use, then locks their bundles.
set -euo pipefail
cd "$(dirname "$0")/.."
for manifest in plugins/*/cases.toml; do
    policy=$(basename "$(dirname "$manifest")")
    cargo run --quiet -- policy build "plugins/$policy" --out "plugins/bundle/$policy.wasm"
done
for policy in misbehaving cautious-risk constant-risk literal-doom-loop; do
    cargo run --quiet -- policy build "tests/policies/$policy" --out "tests/policies/built/$policy.wasm"
done
for bundle in trapping running-dry; do
    cp tests/policies/built/misbehaving.wasm "tests/bundles/$bundle/"
    cargo run --quiet -- bundle lock "tests/bundles/$bundle"
done
cp plugins/bundle/doom-loop.wasm tests/policies/built/literal-doom-loop.wasm tests/bundles/shadow-doom-loop/
cargo run --quiet -- bundle lock tests/bundles/shadow-doom-loop
cargo run --quiet -- bundle lock plugins/bundle
