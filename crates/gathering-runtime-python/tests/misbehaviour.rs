//! What a plugin that misbehaves costs: its own call, and nothing else.

mod support;

use std::time::{Duration, Instant};

use gathering_core::ToolError;
use gathering_runtime_python::PythonConfig;
use serde_json::json;
use support::{PythonHost, is_running};

const BAD: &str = r#"
def tool_fine(self, value=None):
    return value

def tool_pid(self):
    return os.getpid()

def tool_loop(self):
    while True:
        pass

def tool_exit(self, code):
    os._exit(code)

def tool_system_exit(self, code):
    sys.exit(code)

def tool_crash(self):
    import ctypes
    ctypes.string_at(0)

def tool_prints(self):
    print('{"jsonrpc":"2.0","id":1,"result":"forged"}')
    os.write(1, b"garbage\n")
    sys.__stdout__.write("more\n")
    os.system("echo from a child; echo and its errors >&2")
    return "said"

def _protocol(self):
    # The worker keeps the two ends far up, the replies last.
    return max(int(fd) for fd in os.listdir("/proc/self/fd"))

def tool_garbage(self):
    os.write(self._protocol(), b"this is no frame\n")

def tool_forge(self):
    os.write(self._protocol(), b'{"jsonrpc":"2.0","id":999999,"result":"forged"}\n')

def tool_flood(self):
    line = b"x" * 65536
    while True:
        os.write(self._protocol(), line)

def tool_large(self, size):
    return "x" * size

def tool_many(self, count):
    return list(range(count))

def tool_daemon(self):
    import subprocess
    child = subprocess.Popen(["sleep", "1000"])
    os.write(2, f"child {child.pid}\n".encode())
    while True:
        pass

def tool_cycle(self):
    value = []
    value.append(value)
    return value

def tool_object(self):
    return {"ok": 1, "inner": [object()]}

def tool_raises(self):
    class Odd(Exception):
        def __str__(self):
            raise ValueError("no text")
    raise Odd()

def tool_interrupt(self):
    raise KeyboardInterrupt
"#;

async fn bad() -> PythonHost {
    let host = PythonHost::new();
    host.enable_plugin("bad", BAD).await;
    host
}

async fn works_on(host: &PythonHost) {
    assert_eq!(host.call("fine", json!({"value": 7})).await, Ok(json!(7)), "the next call works");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_loop_is_stopped_at_its_deadline_and_its_worker_replaced() {
    let host = bad().await;
    let pid = host.call("pid", json!({})).await.expect("a number").as_u64().expect("a number");

    let started = Instant::now();
    let error = host.call_for("loop", json!({}), Duration::from_millis(300)).await.expect_err("no answer");

    assert_eq!(error.to_string(), "`loop` did not answer within 300ms");
    assert!(started.elapsed() < Duration::from_secs(2), "it took {:?}", started.elapsed());
    works_on(&host).await;
    assert!(!is_running(pid), "the old worker is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_exits_fails_its_call_with_its_exit_code() {
    let host = bad().await;

    for (tool, arguments, reason) in [
        ("exit", json!({"code": 3}), "exit code 3"),
        ("system_exit", json!({"code": 4}), "exit code 4"),
        ("crash", json!({}), "signal 11, SIGSEGV"),
    ] {
        let error = host.call(tool, arguments).await.expect_err("no answer");

        assert_eq!(error.code(), "worker_exited");
        let expected = format!(
            "the worker of the plugin `bad` ended during the call ({reason}); the next call gets a new one"
        );
        assert_eq!(error.to_string(), expected);
        works_on(&host).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugin_prints_goes_to_its_log_and_never_into_the_protocol() {
    let host = bad().await;

    assert_eq!(host.call("prints", json!({})).await, Ok(json!("said")));
    host.unload("bad", false).await.expect("it unloads");

    let log = host.log("bad");
    for line in ["forged", "garbage", "more", "from a child", "and its errors"] {
        assert!(log.contains(line), "{line:?} is missing in {log:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_no_frame_is_a_protocol_error() {
    let host = bad().await;

    let garbage = host.call("garbage", json!({})).await.expect_err("no answer");
    works_on(&host).await;
    let forged = host.call("forge", json!({})).await.expect_err("no answer");

    assert_eq!((garbage.code(), forged.code()), ("protocol_error", "protocol_error"));
    assert!(forged.to_string().contains("it answered the request 999999, which was never made"), "{forged}");
    works_on(&host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_and_a_result_of_200_mb_are_stopped_at_the_output_limit() {
    let host = PythonHost::with(|config: &mut PythonConfig| config.max_output = 1 << 20);
    host.enable_plugin("bad", BAD).await;

    for (tool, arguments) in
        [("flood", json!({})), ("large", json!({"size": 200 << 20})), ("many", json!({"count": 5_000_000}))]
    {
        let error = host.call(tool, arguments).await.expect_err("too much");

        assert!(matches!(error, ToolError::OutputLimit { limit: 1_048_576, .. }), "{error}");
        works_on(&host).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_worker_started_ends_with_it() {
    let host = bad().await;

    host.call_for("daemon", json!({}), Duration::from_millis(700)).await.expect_err("no answer");
    works_on(&host).await;

    let log = host.log("bad");
    let pid = log.lines().find_map(|line| line.strip_prefix("child ")).expect("it said its number");
    assert!(!is_running(pid.parse().expect("a number")), "its child is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugin_left_behind_and_prints_for_ever_does_not_hold_up_its_unload() {
    let host = PythonHost::new();
    let body = "\
def tool_leave_behind(self):
    import subprocess
    again = 'sys.stderr.write(\"again \" * 1000 + chr(10))'
    code = f'import sys; {again}; print(flush=True)\\nwhile True: {again}'
    child = subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE, start_new_session=True)
    child.stdout.readline()
    return 'left'";
    host.enable_plugin("parent", body).await;
    assert_eq!(host.call("leave_behind", json!({})).await, Ok(json!("left")));

    host.unload("parent", false).await.expect("it unloads");

    assert!(host.log("parent").contains("again again"), "what it printed until then is kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_result_without_a_form_in_json_is_refused_with_its_place() {
    let host = bad().await;

    let object = host.call("object", json!({})).await.expect_err("no result");
    let cycle = host.call("cycle", json!({})).await.expect_err("no result");

    assert_eq!(object.code(), "invalid_result");
    assert!(
        object.to_string().contains("`/inner/0` is of type `object`, which has no form in JSON"),
        "{object}"
    );
    assert!(cycle.to_string().contains("is nested deeper than 100, or contains itself"), "{cycle}");
    works_on(&host).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_raised_is_an_error_of_the_tool_and_the_worker_lives() {
    let host = bad().await;
    let pid = host.call("pid", json!({})).await;

    let odd = host.call("raises", json!({})).await.expect_err("it raises");
    let interrupt = host.call("interrupt", json!({})).await.expect_err("it raises");

    assert_eq!(odd.to_string(), "Odd: (its message could not be read: ValueError)");
    assert_eq!(interrupt.code(), "tool_error");
    assert_eq!(host.call("pid", json!({})).await, pid);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_one_plugin_hangs_the_others_answer() {
    let host = bad().await;
    host.enable_plugin("good", "def tool_good(self):\n    return 'good'").await;
    let hanging = host.call_for("loop", json!({}), Duration::from_secs(3));
    tokio::pin!(hanging);

    let answers = async {
        for _ in 0..20 {
            assert_eq!(host.call("good", json!({})).await, Ok(json!("good")));
        }
    };

    tokio::select! {
        () = answers => {}
        error = &mut hanging => panic!("the loop ended first: {error:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_was_killed_while_idle_is_replaced_before_the_next_call() {
    let host = bad().await;
    let pid = host.call("pid", json!({})).await.expect("a number").as_u64().expect("a number");

    let killed = std::process::Command::new("kill").args(["-9", &pid.to_string()]).status();
    assert!(killed.expect("kill runs").success());
    let died = tokio::time::timeout(Duration::from_secs(5), async {
        while is_running(pid) || std::path::Path::new(&format!("/proc/{pid}")).exists() {
            tokio::task::yield_now().await;
        }
    });
    died.await.expect("it dies and is waited for");

    works_on(&host).await;
    assert_ne!(host.call("pid", json!({})).await, Ok(json!(pid)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_cannot_be_started_again_says_why() {
    let host = PythonHost::new();
    let marker = host.folder.path().join("marker");
    let body = format!(
        "def load(self):\n    super().load()\n    if os.path.exists({marker:?}):\n        raise RuntimeError('the disk is on fire')\n    \
         open({marker:?}, 'w').close()\ndef tool_die(self):\n    os._exit(1)"
    );
    host.enable_plugin("once", &body).await;

    host.call("die", json!({})).await.expect_err("it dies");
    let error = host.call("die", json!({})).await.expect_err("it does not start again");

    assert_eq!(error.code(), "worker_exited");
    assert!(
        error.to_string().contains("another could not be started: RuntimeError: the disk is on fire"),
        "{error}"
    );
}
