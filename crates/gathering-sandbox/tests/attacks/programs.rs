//! Ordinary programs work.

use std::path::{Path, PathBuf};

use gathering_sandbox::{Job, Policy, Tier};

use crate::harness::*;

#[test]
fn ordinary_work_of_a_shell_goes_on() {
    for tier in tiers() {
        let workspace = workspace();

        let ran = run_shell(
            tier,
            &policy_in(workspace.path()),
            "set -e; printf 'b\\na\\n' | sort > s; tar cf t.tar s; mkdir x; tar xf t.tar -C x; cmp s x/s
             f=$(mktemp); echo $$ > $f; seq 20 | xargs -P 4 -n 1 echo | wc -l; timeout 5 sleep 0.01; date > /dev/null
             if command -v git > /dev/null; then git init -q r 2>/dev/null; fi; echo done",
        );

        assert_eq!(ran.stdout, "20\ndone\n", "{tier}: {}", ran.said());
    }
}

#[test]
fn ordinary_work_of_python_goes_on() {
    for tier in tiers() {
        let workspace = workspace();
        let Some(ran) = run_python(
            tier,
            &policy_in(workspace.path()),
            "
import asyncio, json, os, sqlite3, subprocess, tempfile, threading
t = threading.Thread(target=lambda: None); t.start(); t.join()
print(subprocess.run(['echo', 'sub'], capture_output=True, text=True).stdout.strip())
c = sqlite3.connect('db'); c.execute('create table t(x)'); c.execute('insert into t values(1)'); c.commit()
print(c.execute('select x from t').fetchone())
with tempfile.TemporaryFile() as f: f.write(b'x')
async def main():
    p = await asyncio.create_subprocess_exec('true'); return await p.wait()
print(asyncio.run(main()))
",
        ) else {
            return;
        };

        assert_eq!(ran.stdout, "sub\n(1,)\n0\n", "{tier}: {}", ran.said());
    }
}

#[test]
fn a_pool_of_processes_works_where_shared_memory_is_private() {
    if !has(Tier::Isolated) {
        return;
    }

    let Some(ran) = run_python(
        Tier::Isolated,
        &policy(),
        "import multiprocessing as m\nwith m.get_context('fork').Pool(2) as p: print(p.map(abs, [-1, -2]))",
    ) else {
        return;
    };

    assert_eq!(ran.stdout, "[1, 2]\n", "{}", ran.said());
}

/// A Python that lies in a home which only its owner can enter.
fn hidden_python() -> Option<(PathBuf, PathBuf)> {
    // Where pyenv puts them; root's home is one.
    let home = PathBuf::from(std::env::var_os("HOME")?);
    let versions = std::fs::read_dir(home.join(".pyenv/versions")).ok()?;
    let mut found: Vec<PathBuf> = versions.filter_map(|entry| Some(entry.ok()?.path())).collect();
    found.retain(|prefix| prefix.join("bin/python3").exists());
    found.sort();
    let prefix = found.pop()?;
    Some((prefix.join("bin/python3"), prefix))
}

#[test]
fn a_python_in_the_home_of_root_starts_when_its_folder_is_bound_into_the_sandbox() {
    let Some((python, prefix)) = hidden_python().filter(|_| is_root()) else {
        return not_run("there is no Python in the home of root, or this is not root");
    };
    if !has(Tier::Isolated) {
        return;
    }
    let policy = Policy { read: vec![prefix], ..policy() };
    let args = ["-I", "-c", "import os, json, ssl; print(os.getuid()); print(os.listdir('/root'))"];

    let ran =
        run(Tier::Isolated, &policy, Job { program: python, args: args.map(Into::into).into(), ..shell("") });

    assert_eq!(ran.stdout, "65534\n['.pyenv']\n", "{}", ran.said());
}

#[test]
fn that_a_python_in_the_home_of_root_is_out_of_reach_is_said() {
    let Some((python, prefix)) = hidden_python().filter(|_| is_root()) else {
        return not_run("there is no Python in the home of root, or this is not root");
    };
    if !has(Tier::Confined) {
        return;
    }
    let policy = Policy { read: vec![prefix], ..policy() };

    let error = gathering_sandbox::spawn(
        Path::new(launcher()),
        Tier::Confined,
        &policy,
        Job { program: python, ..shell("") },
    )
    .unwrap_err();

    assert!(error.to_string().contains("is out of reach of user 65534"), "{error}");
    assert!(error.to_string().contains("a home like `/root` is closed"), "{error}");
}
