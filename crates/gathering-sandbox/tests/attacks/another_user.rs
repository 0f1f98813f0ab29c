//! All of this again, from a server that is not root; by the name of this file the first that is started, beside the rest.

use std::process::Command;

use crate::harness::*;

#[test]
fn all_of_this_holds_for_a_server_that_is_not_root() {
    if !is_root() {
        return not_run("this is the server that is not root");
    }
    let me = std::env::current_exe().unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid", "12345", "--regid", "12345", "--clear-groups"])
        .arg(&me)
        .args(["--nocapture", "--skip", "all_of_this_holds_for_a_server_that_is_not_root"])
        .env("TMPDIR", "/tmp")
        .output();
    let output = match output {
        Ok(output) if String::from_utf8_lossy(&output.stderr).contains("setpriv: failed to execute") => {
            return not_run("the test lies where another user cannot go");
        }
        Ok(output) => output,
        Err(error) => return not_run(&format!("setpriv cannot be run: {error}")),
    };

    let said = String::from_utf8_lossy(&output.stdout);
    for line in said.lines().filter(|line| line.starts_with("NOT RUN")) {
        println!("{line} (as user 12345)");
    }
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}
