# Sourced by demo.sh and test.sh: a server on a free port, with a data directory of its own that goes with the script.

set -euo pipefail

gathering=${1:?the path of the program gathering}
examples=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
GATHERING_DATA_DIR=$(mktemp -d)
export GATHERING_DATA_DIR GATHERING_SERVER__PORT=0
PATH=$(dirname "$gathering"):$PATH
server=
trap 'stop_server; rm -rf "$GATHERING_DATA_DIR"' EXIT

# Starts a server with the given flags and waits until it has told where it answers.
start_server() {
  rm -f "$GATHERING_DATA_DIR/server.json"
  gathering up "$@" >"$GATHERING_DATA_DIR/server.out" 2>&1 &
  server=$!
  until [ -s "$GATHERING_DATA_DIR/server.json" ]; do
    kill -0 "$server" 2>/dev/null || fail "the server did not start: $(cat "$GATHERING_DATA_DIR/server.out")"
    sleep 0.05
  done
  url=$(sed 's/.*"url":"\([^"]*\)".*/\1/' "$GATHERING_DATA_DIR/server.json")
}

stop_server() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null; wait "$server" 2>/dev/null; } || :
  server=
}

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

# Sends JSON and prints the answer, whatever its status.
post() {
  curl --silent --show-error --max-time 300 --request POST "$url$1" --header 'Content-Type: application/json' --data "${2:-{\}}"
}

# Fails unless the text that is read has the word in it; prints the text.
expect() {
  local text
  text=$(cat)
  printf '%s\n' "$text"
  [[ $text == *"$1"* ]] || fail "expected \`$1\` in what is above"
}
