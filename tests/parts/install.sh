#!/usr/bin/env bash
# Installs the parts that tests are run against into `/.parts`, which git ignores. What is there
# already stays. Where a registry is out of reach it says so, leaves a note for the tests, and
# succeeds; whatever else goes wrong fails.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
parts=$(cd "$here/../.." && pwd)/.parts
out_of_reach="$parts/out-of-reach"
mkdir -p "$parts"
rm -f "$out_of_reach"

# What npm, pip and the resolver say when nobody answers.
network='ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT'
network+='|NewConnectionError|ConnectTimeoutError|ReadTimeoutError|ProxyError|Temporary failure in name resolution'
network+='|Network is unreachable|Connection refused|Connection reset'

# attempt NAME COMMAND…: runs it; a failure of the network is noted, any other ends the script.
attempt() {
    local name=$1 log
    shift
    log=$(mktemp)
    if "$@" >"$log" 2>&1; then
        rm -f "$log"
        return 0
    fi
    cat "$log" >&2
    if grep -Eq "$network" "$log"; then
        echo "notice: the registry of $name is out of reach; tests that need it are skipped" >&2
        echo "$name" >>"$out_of_reach"
        rm -f "$log"
        return 1
    fi
    rm -f "$log"
    echo "error: cannot install $name; the lines above say why" >&2
    exit 1
}

# current FOLDER FILE…: whether the folder was installed from these very files.
current() { [ -f "$1/installed" ] && [ "$(cat "${@:2}" | sha256sum)" = "$(cat "$1/installed")" ]; }
installed() { cat "${@:2}" | sha256sum >"$1/installed"; }

npm_files=("$here/package.json" "$here/package-lock.json")
if ! current "$parts/npm" "${npm_files[@]}"; then
    command -v npm >/dev/null || { echo "error: npm is not there; install Node 20 or later" >&2; exit 1; }
    mkdir -p "$parts/npm"
    cp "${npm_files[@]}" "$parts/npm/"
    rm -f "$parts/npm/installed"
    # No scripts: a test needs the packages' code, not what they do while they are installed.
    if attempt npm npm ci --prefix "$parts/npm" --ignore-scripts --no-audit --no-fund; then
        installed "$parts/npm" "${npm_files[@]}"
    fi
fi

python_files=("$here/requirements.txt")
if ! current "$parts/python" "${python_files[@]}"; then
    command -v python3 >/dev/null || { echo "error: python3 is not there" >&2; exit 1; }
    rm -rf "$parts/python"
    python3 -m venv "$parts/python"
    # It names the network's failure only when it tries again.
    if attempt PyPI "$parts/python/bin/pip" install --quiet --disable-pip-version-check --retries 2 \
        -r "$here/requirements.txt"; then
        installed "$parts/python" "${python_files[@]}"
    fi
fi
