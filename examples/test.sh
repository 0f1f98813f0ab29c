#!/usr/bin/env bash
# Loads every example through the program and calls its tools. Usage: test.sh PATH-OF-GATHERING
# Packages come from PyPI; what needs more of the internet than that is called with EXAMPLES_ONLINE=1 only.
. "$(dirname "$0")/server.sh"

call() { post "/tools/$1/execute" "{\"arguments\": $2}"; }

start_server --config "$examples/gathering.toml"

echo "-- core"
call calculate '{"expression": "2 + 2"}' | expect '"result":4'

echo "-- my_plugin"
cp "$examples/my_plugin.py" "$GATHERING_DATA_DIR/plugins/"
post /plugins/discover | expect my_plugin
post /plugins/load '{"plugin_id": "my_plugin"}' | expect '"success":true'
call my_tool '{"input": "x"}' | expect '"result":"Processed: x"'

echo "-- text_metrics"
call reading_ease '{"text": "The cat sat on the mat."}' | expect '"syllables":6'
call reading_ease '{"text": "Die Katze sitzt.", "language": "de_DE"}' | expect '"words":3'
call reading_ease '{"text": "..."}' | expect 'ValueError: the text has no word in it'
curl --silent "$url/plugins/text_metrics/health" | expect '"de_DE"'

echo "-- table_files"
call read_csv '{"text": "name,age\nAda,36\nAlan,41"}' | expect '"rows":[{"name":"Ada","age":"36"},{"name":"Alan","age":"41"}]'
call describe_csv '{"text": "name\tage\nAda\t36"}' | expect '"smallest":36.0'
call read_csv '{"text": "a,b\n1"}' | expect 'line 2 does not have the 2 fields'
curl --silent "$url/file-handlers?extension=csv" | expect '"name":"csv"'

echo "-- finance (installs pandas and yfinance)"
post /plugins/load '{"plugin_id": "finance"}' | expect '"success":true'
call portfolio_value '{"holdings": [{"symbol": "A", "shares": 2, "price": 10.5}, {"symbol": "B", "shares": 1, "price": 79}]}' |
  expect '"total":100.0'
call portfolio_value '{"holdings": []}' | expect '"code":"invalid_arguments"'
if [ "${EXAMPLES_ONLINE:-}" = 1 ]; then
  call stock_price '{"symbol": "AAPL"}' | expect '"price"'
else
  echo "NOT RUN: stock_price asks Yahoo Finance; set EXAMPLES_ONLINE=1 where the internet can be reached"
fi

echo "examples: all tools answered"
