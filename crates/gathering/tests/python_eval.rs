//! `python_eval` over the whole assembly: what a piece of Python gives, how it ends, and what it cannot reach.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gathering::config::SandboxConfig;
use gathering::{AgentRights, CallOptions, CallReport, Caller, Config, GatheRing, Holds, ToolError};
use gathering_sandbox::Tier;
use serde_json::{Map, Value, json};

/// A GatheRing that can run Python, and its folder.
struct House {
    gathering: GatheRing,
    folder: tempfile::TempDir,
}

#[expect(clippy::print_stdout, reason = "a test that cannot run says so")]
fn not_run(reason: &str) {
    println!("NOT RUN: {reason}");
}

impl House {
    /// One for each tier that holds here; what keeps the others from it is printed.
    async fn each(core: Value) -> Vec<Self> {
        let mut houses = Vec::new();
        for tier in [Tier::Isolated, Tier::Confined] {
            let folder = tempfile::tempdir().expect("a folder");
            let sandbox = SandboxConfig { tier: Some(tier), ..SandboxConfig::default() };
            let data_dir = Some(folder.path().join("data"));
            let mut config = Config { data_dir, sandbox, ..Config::default() };
            config.plugins.config.insert("core".to_owned(), core.as_object().expect("an object").clone());
            // One that every user can reach: without namespaces, root's own is out of reach of the tools' user.
            let system = Path::new("/usr/bin/python3");
            config.python.interpreter =
                (tier == Tier::Confined && system.exists()).then(|| system.to_owned());
            let gathering = GatheRing::open(config).await.expect("it can be opened");
            if let Err(error) = gathering.python().interpreter().await {
                not_run(&error.to_string());
            } else if let Holds::Nothing(report) = gathering.python().holds().await {
                not_run(&report.refusal());
            } else {
                let house = Self { gathering, folder };
                match house.report(json!({"code": "1"})).await.outcome {
                    Err(ToolError::SandboxSetupFailed { reason })
                        if reason.contains("is out of reach of user") =>
                    {
                        not_run(&reason);
                    }
                    _ => houses.push(house),
                }
            }
        }
        houses
    }

    async fn report(&self, arguments: Value) -> CallReport {
        let arguments: Map<String, Value> = serde_json::from_value(arguments).expect("an object");
        let options = CallOptions { timeout: Some(Duration::from_secs(60)) };
        self.gathering.host().execute(Caller::Operator, "python_eval", arguments, options).await
    }

    async fn eval(&self, code: &str) -> Value {
        self.report(json!({"code": code})).await.outcome.expect("it has a result").value
    }

    async fn fail(&self, code: &str, timeout: f64) -> ToolError {
        self.report(json!({"code": code, "timeout": timeout})).await.outcome.expect_err("it has none")
    }

    /// What is left of interpreters.
    fn scratch_folders(&self) -> Vec<String> {
        let scratch = self.folder.path().join("data/scratch");
        let Ok(entries) = std::fs::read_dir(scratch) else { return Vec::new() };
        entries
            .map(|entry| entry.expect("it can be read").file_name().to_string_lossy().into_owned())
            .filter(|name| name.starts_with(".evaluate"))
            .collect()
    }
}

/// How many processes have `word` in their command line or name.
fn alive_with(word: &str) -> usize {
    let lines = std::fs::read_dir("/proc").expect("there is /proc").filter_map(|entry| {
        let path = entry.ok()?.path();
        Some(
            std::fs::read(path.join("cmdline")).ok()? == [word.as_bytes(), b"\0"].concat()
                || is_called(&path, word),
        )
    });
    lines.filter(|found| *found).count()
}

fn is_called(process: &Path, word: &str) -> bool {
    std::fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim() == word)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_gives_its_last_value_and_what_it_printed() {
    for house in House::each(json!({})).await {
        let report = house
        .report(json!({"code": "import math\ndef area(r):\n    return math.pi * r ** 2\n\nprint('hi')\nround(area(2), 3)"}))
        .await;

        let tier = report.tier.expect("something ran").as_str();
        assert_eq!(tier, house.gathering.python().holds().await.word(), "the call says how it was confined");
        assert_eq!(
            report.outcome.expect("it has a result").value,
            json!({"result": 12.566, "output": "hi\n", "truncated": false, "error": null, "traceback": ""})
        );
        for (code, wanted) in [
            ("x = 1", json!(null)),
            ("{'a': [1, None, True]}", json!({"a": [1, null, true]})),
            ("complex(1, 2)", json!("(1+2j)")),
            ("import asyncio\nawait asyncio.sleep(0)\n'waited'", json!("waited")),
            (
                "from concurrent.futures import ThreadPoolExecutor\nlist(ThreadPoolExecutor(2).map(abs, [-1, 2]))",
                json!([1, 2]),
            ),
            (
                "def even(n): return n == 0 or odd(n - 1)\ndef odd(n): return n != 0 and even(n - 1)\neven(10)",
                json!(true),
            ),
            ("import os\nopen('kept', 'w').write('x')\nos.listdir()", json!(["kept"])),
        ] {
            let ran = house.eval(code).await;
            assert_eq!((&ran["result"], &ran["error"]), (&wanted, &json!(null)), "{code}: {ran}");
        }
        assert_eq!(
            house.eval("'x' in globals() or __import__('os').path.exists('kept')").await["result"],
            false
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_server_left_is_not_seen() {
    for house in House::each(json!({})).await {
        for number in 0..32 {
            let left = house.folder.path().join(format!("data/scratch/.evaluate-{number}/home"));
            std::fs::create_dir_all(&left).expect("it can be made");
            std::fs::write(left.join("left"), "CANARY-7f3a").expect("it can be written");
        }

        let seen = house.eval("import os\nos.listdir()").await;

        assert_eq!(seen["result"], json!([]), "{seen}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_in_the_code_is_a_result() {
    for house in House::each(json!({"max_output_bytes": 1024})).await {
        for (code, error, traceback) in [
            ("1 +", "SyntaxError: invalid syntax", "line 1"),
            ("print('so far')\n1 / 0", "ZeroDivisionError: division by zero", "line 2, in <module>"),
            ("import nowhere_to_be_found", "ModuleNotFoundError", "line 1"),
            ("import sys\nsys.exit(3)", "SystemExit: 3", ""),
            ("import sys\nsys.exit('long' * 1_000_000)", "SystemExit: longlong", ""),
            ("raise BaseException('base')", "BaseException: base", "line 1"),
            ("def f(): f()\nf()", "RecursionError", "in f"),
        ] {
            let ran = house.eval(code).await;

            assert!(ran["error"].as_str().is_some_and(|said| said.contains(error)), "{code}: {ran}");
            assert!(ran["traceback"].as_str().is_some_and(|said| said.contains(traceback)), "{code}: {ran}");
        }
        let flood = house.eval("for n in range(100_000): print('a line')\n'x' * 5_000").await;
        let result = flood["result"].as_str().unwrap_or_default().len();
        assert_eq!((&flood["truncated"], flood["output"].as_str().map(str::len)), (&json!(true), Some(1024)));
        assert!(
            (1024..1200).contains(&result),
            "of a result that is too large the beginning is given: {result}"
        );
        assert_eq!(house.eval("import sys\nprint('bye')\nsys.exit()").await["output"], "bye\n");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_comes_to_no_end_of_its_own_is_an_error() {
    let core = json!({"limits": {"memory": "256MiB", "file_size": "1MiB", "cpu_seconds": 20}});
    for house in House::each(core).await {
        let left = house.fail("import os\nos._exit(3)", 20.0).await;
        let started = Instant::now();
        let endless = house.fail("while True: pass", 1.0).await;
        let took = started.elapsed();
        let stubborn = house
            .fail(
                "import signal, time\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\ntime.sleep(999)",
                1.0,
            )
            .await;
        let children = house
        .fail(
            "import subprocess, sys\ncode = 'x = bytearray(120 << 20)\\nwhile True: pass'\nfor n in range(8): subprocess.Popen([sys.executable, '-I', '-S', '-c', code])\nimport time\ntime.sleep(60)",
            50.0,
        )
        .await;
        let one = house.eval("held = []\nwhile True: held.append(bytearray(16 << 20))").await;
        let file = house.eval("open('big', 'wb').write(b'x' * (4 << 20))").await;

        assert_eq!(left.code(), "tool_error");
        assert!(left.to_string().contains("ended in the middle of the code (exit code 3)"), "{left}");
        assert_eq!(
            endless.to_string(),
            "the code did not end within 1s and was stopped, with all that it had started: give it a longer `timeout` (at most \
         600 s), or do less in one call"
        );
        assert!(took < Duration::from_secs(10), "{took:?}");
        assert_eq!((endless.code(), stubborn.code()), ("time_limit", "time_limit"));
        assert_eq!(children.code(), "memory_limit", "{children}");
        assert!(children.to_string().contains("used more than 256 MiB of memory"), "{children}");
        assert_eq!(one["error"], "MemoryError", "{one}");
        assert!(file["error"].as_str().is_some_and(|error| error.contains("File too large")), "{file}");
        assert_eq!(house.scratch_folders(), Vec::<String>::new());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_outlives_it() {
    for house in House::each(json!({})).await {
        let name = format!("eval{}", std::process::id());
        let code = format!(
            "import ctypes, os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n        ctypes.CDLL(None).prctl(15, b'{name}', 0, 0, 0)\n        time.sleep(1000)\n    os._exit(0)\nos.wait()\n'left'"
        );

        let left = house.eval(&code).await;
        let after = alive_with(&name);
        let arguments =
            json!({"code": format!("{code}\ntime.sleep(1000)")}).as_object().expect("an object").clone();
        let host = house.gathering.host().clone();
        let call = tokio::spawn(async move {
            host.execute(Caller::Operator, "python_eval", arguments, CallOptions::default()).await
        });
        until(|| alive_with(&name) == 1, Duration::from_secs(20)).await;
        call.abort();
        until(|| alive_with(&name) == 0 && house.scratch_folders().is_empty(), Duration::from_secs(5)).await;

        assert_eq!((&left["result"], after), (&json!("left"), 0), "{left}");
    }
}

/// Looks as often as it is let.
async fn until(holds: impl Fn() -> bool, limit: Duration) {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < limit, "not within {limit:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_reaches_nothing_of_the_machine() {
    for house in House::each(json!({})).await {
        let secret = house.folder.path().join("data/secret");
        std::fs::write(&secret, "CANARY-7f3a").expect("it can be written");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("it can be set");
        let (secret, port) =
            (secret.display().to_string(), listener.local_addr().expect("an address").port());

        let ran = house
        .eval(&format!(
            "import os, socket\nsaid = []\ndef attempt(act):\n    try: said.append(repr(act()))\n    except OSError as error: said.append(type(error).__name__)\n\
             attempt(lambda: open({secret:?}).read())\nattempt(lambda: open({here:?}).read())\n\
             attempt(lambda: socket.create_connection(('127.0.0.1', {port}), timeout=2))\n\
             attempt(lambda: open('/proc/1/environ').read())\nattempt(lambda: os.kill({server}, 9))\n\
             [said, sorted(os.environ)]",
            here = std::env::current_dir().expect("a folder").join("Cargo.toml"),
            server = std::process::id(),
        ))
        .await;

        let text = ran.to_string();
        assert!(!text.contains("CANARY") && !text.contains("CARGO") && !text.contains("[package]"), "{text}");
        assert!(listener.accept().is_err(), "nobody connected");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_gets_nothing_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = SandboxConfig { launcher: Some("/nowhere/gathering".into()), ..SandboxConfig::default() };
    let config = Config { data_dir: Some(folder.path().join("data")), sandbox, ..Config::default() };
    let gathering = GatheRing::open(config).await.expect("it can be opened");
    if let Err(error) = gathering.python().interpreter().await {
        return not_run(&error.to_string());
    }
    let call = |caller, tool| {
        let (tool, arguments) = match tool {
            "python_eval" => (tool, json!({"code": "1"})),
            _ => (tool, json!({"command": "true"})),
        };
        let arguments = arguments.as_object().expect("an object").clone();
        let host = gathering.host().clone();
        async move { host.execute(caller, tool, arguments, CallOptions::default()).await }
    };
    let agent = || Caller::Agent(Arc::new(AgentRights::new("agent".parse().expect("an id"), Vec::new())));

    for tool in ["python_eval", "run_command"] {
        let report = call(Caller::Operator, tool).await;
        let code = report.outcome.as_ref().map_err(ToolError::code).map(|_| ());
        assert_eq!((code, report.tier), (Err("sandbox_setup_failed"), None), "{tool}: {:?}", report.outcome);
        let refused = call(agent(), tool).await.outcome.map_err(|error| error.code());
        assert_eq!(refused, Err("missing_competency"), "{tool}");
    }
}
