#!/usr/bin/env bash
# The main job once through, each step printed: a plugin file that is dropped into a folder becomes tools that can be
# called, and nothing is lost when one misbehaves. Usage: demo.sh PATH-OF-GATHERING
. "$(dirname "$0")/server.sh"

step() { printf '\n== %s\n' "$*"; }
run() {
  printf '$ %s\n' "$*"
  "$@"
}
rest() {
  printf "\$ curl -X POST %s%s -H 'Content-Type: application/json' -d '%s'\n" "$url" "$1" "${2:-{\}}"
  post "$@"
  echo
}

step "A server on a free port"
start_server
echo "$ gathering up   # answers at $url"
run curl --silent --fail "$url/health" | expect '"status":"ok"'

step "A plugin file is dropped into the plugin folder"
run cp "$examples/my_plugin.py" "$GATHERING_DATA_DIR/plugins/"

step "It is discovered: its metadata is known, nothing of it is loaded"
rest /plugins/discover | expect '"plugin_id":"my_plugin"'

step "It is loaded: its packages are installed into an environment of its own"
run gathering plugins load my_plugin | expect my_plugin

step "It is enabled, by curl this time"
rest /plugins/my_plugin/enable | expect '"success":true'

step "Its tool is called, by curl and by the command line"
rest /tools/my_tool/execute '{"arguments": {"input": "hello"}}' | expect 'Processed: hello'
run gathering execute my_tool input=hello | expect 'Processed: hello'

step "Arguments are checked before any code of the plugin runs"
rest /tools/my_tool/execute '{"arguments": {"input": 7}}' | expect '"code":"invalid_arguments"'
if said=$(run gathering execute my_tool inptu=hello 2>&1); then fail "arguments that do not fit were taken"; else code=$?; fi
expect input <<<"$said"
echo "exit code $code"

step "A plugin that loops for ever or exits costs its own call only"
cat >"$GATHERING_DATA_DIR/plugins/rude.py" <<'PLUGIN'
"""A plugin that misbehaves."""

import os

from gathering.core.tool_registry import ToolCategory, ToolDefinition
from gathering.plugins import Plugin, PluginMetadata


class Rude(Plugin):
    @property
    def metadata(self):
        return PluginMetadata(id="rude", name="Rude", version="1.0.0", description="Misbehaves")

    def register_tools(self):
        return [
            ToolDefinition("loop", "Never comes back", ToolCategory.CUSTOM, self.loop),
            ToolDefinition("leave", "Ends its process", ToolCategory.CUSTOM, self.leave),
            ToolDefinition("polite", "Answers", ToolCategory.CUSTOM, self.polite),
        ]

    def loop(self):
        while True:
            pass

    def leave(self):
        os._exit(3)

    def polite(self):
        return "still here"
PLUGIN
run gathering plugins discover | expect rude
run gathering plugins load rude | expect rude
rest /tools/loop/execute '{"timeout": 1}' | expect '"code":"timed_out"'
rest /tools/leave/execute | expect '"code":"worker_exited"'
rest /tools/polite/execute | expect 'still here'
rest /tools/my_tool/execute '{"arguments": {"input": "me too"}}' | expect 'Processed: me too'

step "The server is killed; the next one knows everything again"
kill -9 "$server"
wait "$server" 2>/dev/null || :
start_server
echo "$ gathering up   # again, at $url"
rest /tools/my_tool/execute '{"arguments": {"input": "after kill -9"}}' | expect 'Processed: after kill -9'

step "The plugin is unloaded: its tool is gone"
rest /plugins/my_plugin/unload | expect '"success":true'
rest /tools/my_tool/execute '{"arguments": {"input": "hello"}}' | expect '"code":"unknown_tool"'

step "Done"
