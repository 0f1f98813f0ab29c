"""G06: agents that call what they may not, by every door and by leaving their token out."""

from attacks.cases import case, equal, expect

BORROWER = """from gathering.core.tool_registry import execute_tool


def borrow(tool: str, arguments: dict):
    \"\"\"Calls another tool as whoever calls.\"\"\"
    return execute_tool(tool, **arguments)
"""


class Agent:
    """An agent of a server, and how it asks."""

    def __init__(self, server, operator, name, competencies=()):
        self.server, self.operator = server, operator
        status, body = server.ask("POST", "/agents", {"name": name, "competencies": list(competencies)}, token=operator)
        equal(status, 201, str(body))
        self.id, self.token = body["id"], body["token"]

    def ask(self, method, path, body=None):
        return self.server.ask(method, path, body, token=self.token)

    def call(self, tool, /, **arguments):
        return self.ask("POST", f"/tools/{tool}/execute", {"arguments": arguments})


def operator_of(server):
    return (server.data_dir / "operator.token").read_text().strip()


def refused(answer, code, *words):
    status, body = answer
    equal((status, body.get("code")), (403, code), str(body))
    for word in words:
        expect(word in body["detail"], f"{word!r} is not named: {body}")


@case("G06", "an agent without a competency calls what requires it, by every door", in_tiers=True)
def competency_bypass(arena):
    with arena.started("--enable", "bystander") as server:
        operator = operator_of(server)
        maker = Agent(server, operator, "maker", ["plugin_authoring"])
        other = Agent(server, operator, "other", ["git", "plugin_authoring"])

        refused(maker.call("git_status"), "missing_competency", "git", f"gathering agents grant {maker.id} git")
        refused(maker.ask("GET", "/tools/git_status"), "missing_competency", "git")
        for alias in ("Git_Status", "GIT_STATUS", "git_status%20", "git_status%00", "git%5Fstatus/../git_status", "core.git_status"):
            status, body = maker.call(alias)
            expect(status in (400, 403, 404), f"{alias}: {status} {body}")
        for path in ("/tools", "/tools?format=openai", "/tools?format=anthropic", "/tools?format=mcp", "/tools?q=git", "/tools?plugin=core",
                     "/tools?competency=git", f"/agents/{maker.id}/tools"):
            status, body = maker.ask("GET", path)
            equal(status, 200, str(body))
            listed = [tool.get("name") or tool["function"]["name"] for tool in body["tools"]]
            expect(not {"git_status", "git_diff", "run_command"} & set(listed), f"{path} lists what it may not call: {listed}")

        # What it writes itself: a tool that requires nothing, and a competency that claims to build on the one it lacks.
        claim = {"id": "claim", "name": "x", "description": "x", "category": "custom", "prerequisites": ["git"], "tools_enabled": ["git_status"]}
        plugin = {"plugin_id": "borrower", "description": "x", "tools": [{"name": "borrow", "code": BORROWER}], "competencies": [claim]}
        status, body = maker.ask("POST", "/plugins/dynamic", plugin)
        equal(status, 201, str(body))
        equal(server.ask("POST", f"/agents/{maker.id}/competencies", {"competencies": ["claim"]}, token=operator)[0], 200)
        refused(maker.call("git_status"), "missing_competency", "git")
        for who, token in (("its maker", maker.token), ("the operator", operator)):
            for wanted in ("git_status", "borrow"):
                arguments = {"tool": wanted, "arguments": {} if wanted == "git_status" else {"tool": "git_status", "arguments": {}}}
                status, body = server.ask("POST", "/tools/borrow/execute", {"arguments": arguments}, token=token)
                expect(body.get("is_error") and f"grant {maker.id} git" in body["error"]["message"], f"{who}, {wanted}: {status} {body}")
        refused(other.call("borrow", tool="git_status", arguments={}), "forbidden", maker.id)
        refused(other.ask("DELETE", "/plugins/borrower"), "forbidden", maker.id)
        for agent in (maker, other):
            refused(agent.ask("POST", "/plugins/borrower/promote"), "forbidden")

        # Once it is the operator's, whoever calls it has his own rights in it, and its maker no longer changes it.
        equal(server.ask("POST", "/plugins/borrower/promote", {}, token=operator)[0], 200)
        equal(other.call("borrow", tool="git_status", arguments={})[0], 200)
        refused(maker.ask("DELETE", "/plugins/borrower"), "forbidden", "the operator")
        refused(maker.call("git_status"), "missing_competency", "git")

        # A call that began before something was taken keeps nothing of it, and a deleted agent is nobody.
        equal(server.ask("DELETE", f"/agents/{other.id}/competencies/git", token=operator)[0], 200)
        refused(other.call("git_status"), "missing_competency", "git")
        equal(server.ask("DELETE", f"/agents/{other.id}", token=operator)[0], 200)
        equal(other.call("git_status")[0], 401)


@case("G06b", "an agent that wants to be the operator")
def becoming_the_operator(arena):
    with arena.started("--enable", "bystander") as server:
        operator = operator_of(server)
        agent = Agent(server, operator, "climber", ["plugin_authoring", "file_management"])
        for token in (None, "", "x", operator[:-1], operator.upper(), "operator", "gat_", agent.token[:-1], agent.token.upper(), agent.id):
            for method, path in (("GET", "/plugins"), ("GET", "/tools"), ("POST", "/agents"), ("GET", "/health")):
                status, body = server.ask(method, path, {"name": "x"} if method == "POST" else None, token=token)
                equal((status, body["code"]), (401, "unauthenticated"), f"{token!r} {method} {path}: {body}")
        grants = {"competencies": ["git"]}
        for method, path, body in (
            ("POST", f"/agents/{agent.id}/competencies", grants), ("PATCH", f"/agents/{agent.id}", {"limits": {}}), ("POST", "/agents", {"name": "x"}),
            ("GET", "/agents", None), ("GET", "/agents/nobody", None), ("POST", f"/agents/{agent.id}/token", None), ("DELETE", f"/agents/{agent.id}", None),
            ("GET", "/plugins", None), ("GET", "/plugins/core", None), ("POST", "/plugins/core/disable", None), ("POST", "/plugins/load", {"plugin_id": "core"}),
            ("POST", "/plugins/discover", {"directory": "/"}), ("POST", "/plugins/core/grant", {"permissions": {"network": ["*"]}}),
            ("POST", "/plugins/core/save", None), ("GET", "/plugins/bystander/log", None), ("GET", "/events", None), ("GET", "/file-handlers", None),
        ):
            refused(agent.ask(method, path, body), "forbidden")
        status, body = agent.call("read_file", path=str(server.data_dir / "operator.token"))
        expect(operator not in str(body), "it read the operator's token")
        equal(server.ask("GET", f"/agents/{agent.id}", token=operator)[1]["competencies"],
              [{"id": "plugin_authoring", "level": "intermediate"}, {"id": "file_management", "level": "intermediate"}])
