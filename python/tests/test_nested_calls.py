"""Tools that call other tools through the host: from sync and async code, from threads, and back into the plugin."""

import unittest

from worker_process import WorkerTest

CALLER = """
def ask(self, x):
    return tool_registry.execute("other", x=x)
async def ask_async(self, x):
    return await tool_registry.execute_async("other", x=x)
async def ask_both(self):
    return await asyncio.gather(*(tool_registry.execute_async("other", x=x) for x in (1, 2)))
def ask_in_threads(self):
    results = {}
    def ask(x):
        results[x] = tool_registry.execute("other", x=x)
    threads = [threading.Thread(target=ask, args=(x,)) for x in (1, 2)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return sorted(results.items())
def back(self, x):
    return ["back", x]
async def back_async(self, x):
    return ["back_async", x]
def look(self):
    found = tool_registry.get("other")
    return [found.name, found.category, tool_registry.has("none"), [t.name for t in tool_registry.list_all()], found.function(x=5)]
def odd(self):
    return tool_registry.execute("other", x=object())
def fails(self):
    try:
        tool_registry.execute("other", x=1)
    except Exception as error:
        return [type(error).__name__, str(error), getattr(error, "code", None)]
"""
OTHER = {
    "name": "other", "description": "d", "category": "utility", "required_competencies": [], "parameters": {},
    "returns": {}, "examples": [], "plugin_id": "there",
}


class Nested(WorkerTest):
    def setUp(self):
        super().setUp()
        self.mine = self.loaded(self.plugin(CALLER))

    def answer(self, asked, result):
        self.mine.send({"id": asked["id"], "result": result})

    def asked(self, call, x):
        frame = self.mine.receive()
        self.assertEqual((frame["method"], frame["params"]), ("execute", {"call": call, "tool": "other", "arguments": {"x": x}}))
        return frame

    def test_a_call_names_the_call_that_it_is_made_in(self):
        for name in ("ask", "ask_async"):
            call = self.mine.begin("call", tool=name, arguments={"x": 3})
            self.answer(self.asked(call, 3), {"got": 3})

            self.assertEqual(self.mine.receive(), {"jsonrpc": "2.0", "id": call, "result": {"got": 3}})

    def test_several_calls_are_open_at_once_and_may_be_answered_in_any_order(self):
        for name, expected in [("ask_both", ["one", "two"]), ("ask_in_threads", [[1, "one"], [2, "two"]])]:
            with self.subTest(name):
                call = self.mine.begin("call", tool=name, arguments={})
                frames = {frame["params"]["arguments"]["x"]: frame for frame in (self.mine.receive(), self.mine.receive())}
                self.answer(frames[2], "two")
                self.answer(frames[1], "one")

                self.assertEqual(self.mine.receive(), {"jsonrpc": "2.0", "id": call, "result": expected})

    def test_a_call_that_comes_back_is_served_while_the_plugin_waits(self):
        for asking in ("ask", "ask_async"):
            for back in ("back", "back_async"):
                with self.subTest(f"{asking} {back}"):
                    call = self.mine.begin("call", tool=asking, arguments={"x": 1})
                    asked = self.asked(call, 1)
                    returning = self.mine.begin("call", tool=back, arguments={"x": 2}, parent=asked["id"])
                    answer = self.mine.receive()
                    self.assertEqual((answer["id"], answer["result"]), (returning, [back, 2]))
                    self.answer(asked, answer["result"])

                    self.assertEqual(self.mine.receive(), {"jsonrpc": "2.0", "id": call, "result": [back, 2]})

    def test_a_returning_call_may_ask_again_in_its_own_name(self):
        call = self.mine.begin("call", tool="ask", arguments={"x": 1})
        first = self.asked(call, 1)
        returning = self.mine.begin("call", tool="ask", arguments={"x": 2}, parent=first["id"])
        second = self.asked(returning, 2)
        self.answer(second, "inner")
        self.assertEqual(self.mine.receive()["result"], "inner")
        self.answer(first, "outer")

        self.assertEqual(self.mine.receive()["result"], "outer")

    def test_the_hosts_tools_can_be_looked_at_and_called(self):
        call = self.mine.begin("call", tool="look", arguments={})
        replies = {"find_tool": lambda params: OTHER if params["tool"] == "other" else None, "list_tools": lambda _: [OTHER]}
        for _ in range(3):
            frame = self.mine.receive()
            self.answer(frame, replies[frame["method"]](frame["params"]))
        self.answer(self.asked(call, 5), "five")

        self.assertEqual(self.mine.receive()["result"], ["other", "utility", False, ["other"], "five"])

    def test_an_argument_without_a_form_never_leaves_the_worker(self):
        self.assertEqual(
            self.refusal(self.mine.call("odd")),
            (
                "tool_error",
                "ValueError: Invalid parameters for tool 'other': it is of type `object`, which has no form in JSON: "
                "return a dictionary, a list or text (at x)",
            ),
        )

    def test_what_goes_wrong_there_is_raised_here_in_the_documents_words(self):
        errors = [{"pointer": "/x/0", "message": "1 is not of type string"}]
        for code, message, expected in [
            ("unknown_tool", "no tool", ["ValueError", "Tool 'other' not found in registry", None]),
            (
                "invalid_arguments", "no",
                ["ValueError", "Invalid parameters for tool 'other': 1 is not of type string (at x.0)", None],
            ),
            ("busy", "`other` is busy", ["ToolCallError", "Error executing tool 'other': `other` is busy", "busy"]),
        ]:
            self.mine.begin("call", tool="fails", arguments={})
            error = {"code": -32000, "message": message, "data": {"code": code, "errors": errors}}
            self.mine.send({"id": self.mine.receive()["id"], "error": error})

            self.assertEqual(self.mine.receive()["result"], expected)


if __name__ == "__main__":
    unittest.main()
