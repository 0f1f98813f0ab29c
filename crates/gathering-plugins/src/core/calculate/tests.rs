//! What `calculate` promises, with Python as the oracle where it is there.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::json;

use super::*;

fn result(expression: &str) -> Result<Value, String> {
    parser::evaluate(expression).map(json_of).map_err(|mistake| described(&mistake, expression))
}

fn error(expression: &str) -> String {
    match result(expression) {
        Ok(value) => panic!("`{expression}` gave {value}"),
        Err(error) => error,
    }
}

#[test]
fn arithmetic_follows_python() {
    for (expression, expected) in [
        ("2 + 2", json!(4)),
        ("7 / 2", json!(3.5)),
        ("6 / 2", json!(3.0)),
        ("-7 // 2", json!(-4)),
        ("-7 % 3", json!(2)),
        ("7 % -3", json!(-2)),
        ("-2 ** 2", json!(-4)),
        ("2 ** -1", json!(0.5)),
        ("2 ** 3 ** 2", json!(512)),
        ("0.1 + 0.2", json!(0.30000000000000004)),
        ("1_000 * 0x10", json!(16_000)),
        ("round(2.5) + round(3.5)", json!(6)),
        ("round(2.675, 2)", json!(2.67)),
        ("round(1250, -2)", json!(1200)),
        ("1 < 2 <= 2 != 3", json!(true)),
        ("1 == 1.0", json!(true)),
        ("9007199254740993 == 9007199254740992.0", json!(false)),
        ("max(1, 2.5, 2) + min(3, 1)", json!(3.5)),
        ("gcd(12, 18, 27)", json!(3)),
        ("log(8, 2) + log10(100) + exp(0)", json!(6.0)),
        ("atan2(1, 1) * 4 == pi", json!(true)),
        ("factorial(20)", json!(2_432_902_008_176_640_000_i64)),
        ("10 ** 400 / 10 ** 399", json!(10.0)),
        ("log(10 ** 400) > 921", json!(true)),
    ] {
        assert_eq!(result(expression), Ok(expected), "{expression}");
    }
}

#[test]
fn a_percentage_is_a_part_of_something_and_a_remainder_otherwise() {
    assert_eq!(result("15% of 200"), Ok(json!(30)));
    assert_eq!(result("10 + 12.5% of 80 * 2"), Ok(json!(30.0)));
    assert_eq!(result("5% of 33"), Ok(json!(1.65)));
    assert_eq!(result("15 % 4"), Ok(json!(3)));
    assert_eq!(
        error("200 + 15%"),
        "`%` is the remainder of a division; a percentage is written `15% of 200` (at character 10, the end)"
    );
}

#[test]
fn an_integer_beyond_64_bits_is_a_string_of_its_digits() {
    assert_eq!(result("2 ** 64 - 1"), Ok(json!(u64::MAX)));
    assert_eq!(result("2 ** 64"), Ok(json!("18446744073709551616")));
    assert_eq!(result("-2 ** 63 - 1"), Ok(json!("-9223372036854775809")));
}

#[test]
fn an_error_points_at_its_place() {
    for (expression, expected) in [
        ("", "the expression is empty"),
        ("1 / 0", "division by zero (at character 3: `/ 0`)"),
        ("(1 + 2", "a `)` is missing here (at character 7, the end)"),
        ("1 + 2)", "there is no `(` for this `)` (at character 6: `)`)"),
        ("2 3", "an operator is missing before this (at character 3: `3`)"),
        ("2 ^ 3", "`^` is not an operator here: powers are written `**` (at character 3: `^ 3`)"),
        ("sqrt(-1)", "`sqrt` takes numbers from 0 on, not -1 (at character 1: `sqrt(-1)`)"),
        ("sin", "`sin` is a function: write `sin(...)` (at character 1: `sin`)"),
        ("pow(2)", "`pow` takes two numbers, and 1 were given (at character 1: `pow(2)`)"),
        ("é + $", "this has no meaning here (at character 5: `$`)"),
        ("012", "`012` begins with a zero: leave that out (at character 1: `012`)"),
        ("1__0", "`1__0` is not a number (at character 1: `1__0`)"),
        ("10.0 ** 400", "the result is too large for a float (at character 6: `** 400`)"),
        ("1e999", "`1e999` is too large for a float (at character 1: `1e999`)"),
        ("factorial(2.0)", "`factorial` takes integers only (at character 1: `factorial(2.0)`)"),
    ] {
        assert_eq!(error(expression), expected, "{expression}");
    }
    let names = error("__import__('os').system('id')");
    assert!(names.ends_with("(at character 12: `'os').system('id')`)"), "{names}");
    assert!(error("open").starts_with("there is no `open`: the functions are sqrt, sin,"));
}

#[test]
fn what_would_take_for_ever_is_refused_at_once() {
    let nested = "(".repeat(100_000) + "1" + &")".repeat(100_000);
    let started = Instant::now();
    for expression in [
        "9**9**9",
        "9**9**9**9",
        "-9**9**9",
        "10**1000000000",
        "2**(10**30)",
        "factorial(10**9)",
        "factorial(10**7)",
        "factorial(10**30)",
        &nested,
        &nested[..5_000],
        &"(".repeat(900),
        &"-".repeat(900),
        &"2**".repeat(300),
        &"1+".repeat(500_000),
        &"9".repeat(1_000_000),
        &format!("1{}", "+1".repeat(600)),
        &format!("gcd{}1", "(2**32000+1, ".repeat(60)),
        &format!("{}1", "factorial(3000) // ".repeat(200)),
        "1e400",
        "2**32767 * 4.0",
        "sqrt(2**32000)",
        "round(5, -10**30) + round(5.5, 10**30) + 1/0",
    ] {
        let message = error(expression);
        assert!(message.len() < 400, "{message}");
    }
    assert!(started.elapsed() < Duration::from_secs(2), "took {:?}", started.elapsed());
    assert_eq!(error(&nested), "the expression has 200001 bytes, more than 10000");
    assert!(error("9**9**9").contains("the result is too large: integers may have 32768 bits"));
}

#[test]
fn the_depth_allowed_fits_on_half_the_stack_of_a_thread_of_tokio() {
    let deepest = |open: &str, close: &str| open.repeat(64) + "1" + &close.repeat(64);
    std::thread::Builder::new()
        .stack_size(1024 * 1024)
        .spawn(move || {
            assert_eq!(result(&deepest("(", ")")), Ok(json!(1)));
            assert_eq!(result(&deepest("abs(", ")")), Ok(json!(1)));
            assert_eq!(result(&deepest("-", "")), Ok(json!(1)));
            assert!(result(&deepest("(-", ")")).is_err());
        })
        .unwrap()
        .join()
        .unwrap();
}

/// Expressions as text, some of which fail.
fn expression() -> impl Strategy<Value = String> {
    let number = prop_oneof![
        4 => (0u32..20).prop_map(|n| n.to_string()),
        2 => any::<i64>().prop_map(|n| n.unsigned_abs().to_string()),
        1 => (any::<u64>(), 40u32..90).prop_map(|(n, shift)| ((u128::from(n)) << (shift - 40)).to_string()),
        3 => (-400i32..400, 0i32..4).prop_map(|(n, e)| format!("{}e-{e}", f64::from(n.abs()) / 8.0)),
        2 => (1u64..u64::MAX, -340i32..330).prop_map(|(n, e)| format!("{}.5e{e}", n % 1_000)),
        1 => prop::sample::select(vec!["pi", "e", "tau", "0.5", "2.5", "0.0", "1e300", "5e-324"])
            .prop_map(str::to_owned),
    ];
    number.prop_recursive(5, 40, 4, |inner| {
        let binary = prop::sample::select(vec!["+", "-", "*", "/", "//", "%", "**"]);
        let unary = prop::sample::select(vec![
            "sqrt",
            "sin",
            "cos",
            "tan",
            "asin",
            "acos",
            "atan",
            "log",
            "log10",
            "exp",
            "abs",
            "round",
            "floor",
            "ceil",
            "factorial",
        ]);
        let two = prop::sample::select(vec!["min", "max", "pow", "gcd", "atan2", "log"]);
        prop_oneof![
            6 => (inner.clone(), binary, inner.clone()).prop_map(|(a, op, b)| format!("{a} {op} {b}")),
            2 => inner.clone().prop_map(|a| format!("({a})")),
            1 => inner.clone().prop_map(|a| format!("-{a}")),
            2 => (unary, inner.clone()).prop_map(|(f, a)| format!("{f}({a})")),
            2 => (two, inner.clone(), inner.clone()).prop_map(|(f, a, b)| format!("{f}({a}, {b})")),
            1 => (inner.clone(), -6i32..20).prop_map(|(a, n)| format!("round({a}, {n})")),
            1 => (inner.clone(), prop::sample::select(vec!["<", "<=", "==", "!=", ">", ">="]), inner)
                .prop_map(|(a, op, b)| format!("({a} {op} {b})")),
        ]
    })
}

/// Answers each line with the value as JSON (`{"int": digits}`, `{"float": hexadecimal}`, `{"bool": ...}`), or
/// `{"error": kind}`. What this program refuses for its size is refused here too.
const ORACLE: &str = r#"
import json, sys
from math import *
LIMIT = 2 ** 32768
sys.set_int_max_str_digits(0)
def guarded_pow(a, b):
    if isinstance(a, int) and isinstance(b, int) and b > 0 and abs(a) > 1 and a.bit_length() * b > 200000:
        raise OverflowError
    return a ** b
def guarded_factorial(n):
    if n > 4000:
        raise OverflowError
    return factorial(n)
import ast
class Guard(ast.NodeTransformer):
    def visit_BinOp(self, node):
        self.generic_visit(node)
        if isinstance(node.op, ast.Pow):
            return ast.Call(ast.Name('guarded_pow', ast.Load()), [node.left, node.right], [])
        return node
names = dict(globals(), pow=guarded_pow, factorial=guarded_factorial)
for line in sys.stdin:
    try:
        tree = ast.fix_missing_locations(Guard().visit(ast.parse(line.strip(), mode='eval')))
        value = eval(compile(tree, 'x', 'eval'), names)
        if isinstance(value, bool): answer = {'bool': value}
        elif isinstance(value, int): answer = {'int': str(value)} if abs(value) < LIMIT else {'error': 'large'}
        elif isinstance(value, complex): answer = {'error': 'complex'}
        elif isinf(value) or isnan(value): answer = {'error': 'not finite'}
        else: answer = {'float': value.hex()}
    except Exception as error:
        answer = {'error': repr(error)}
    print(json.dumps(answer))
"#;

fn python(expressions: &[String]) -> Option<Vec<Value>> {
    let mut child = Command::new("python3")
        .args(["-I", "-W", "ignore", "-c", ORACLE])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    let mut input = child.stdin.take().unwrap();
    let lines = expressions.join("\n");
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let answers = String::from_utf8(output.stdout).unwrap();
    Some(answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

/// A float as Python's `float.hex` writes it.
fn from_hex(text: &str) -> f64 {
    let (sign, text) = text.strip_prefix('-').map_or((1.0, text), |text| (-1.0, text));
    let (digits, exponent) = text.strip_prefix("0x").unwrap().split_once('p').unwrap();
    let (whole, fraction) = digits.split_once('.').unwrap();
    let mantissa = u64::from_str_radix(&format!("{whole}{fraction}"), 16).unwrap();
    let exponent = exponent.parse::<i32>().unwrap() - 4 * fraction.len() as i32;
    // In two steps, each exact, since 2^-1074 is the least power there is.
    sign * (mantissa as f64 * 2f64.powi(exponent / 2)) * 2f64.powi(exponent - exponent / 2)
}

#[test]
fn every_result_is_that_of_python() {
    const CASES: usize = 6_000;
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    let strategy = expression();
    let expressions: Vec<String> =
        (0..CASES).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    let Some(answers) = python(&expressions) else {
        println!("NOT RUN: there is no python3");
        return;
    };
    assert_eq!(answers.len(), CASES);

    let mut values = 0;
    for (expression, answer) in expressions.iter().zip(&answers) {
        let ours = parser::evaluate(expression);
        let agrees = match (&ours, answer) {
            (Ok(Number::Bool(value)), answer) => answer["bool"] == *value,
            (Ok(Number::Int(value)), answer) => answer["int"] == value.to_string(),
            (Ok(Number::Float(value)), answer) => {
                answer["float"].as_str().is_some_and(|hex| from_hex(hex) == *value)
            }
            // An error in part of a comparison, or of a size that only we refuse.
            (Err(mistake), answer) => {
                !answer["error"].is_null()
                    || mistake.message.contains("too large")
                    || mistake.message.contains("too much work")
            }
        };
        assert!(agrees, "`{expression}` is {answer} in Python, and here {ours:?}");
        values += usize::from(ours.is_ok());
    }
    assert!(values > CASES / 3, "only {values} of {CASES} expressions had a value");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[0-9a-z+*/%().,<>=!e _é-]{0,60}") {
        let _ = result(&text);
    }

    #[test]
    fn the_quotient_of_integers_is_rounded_once(a in any::<i64>(), shift in 0u32..1200, b in 1..i64::MAX) {
        // Exact: b and 2^shift divide without a rest.
        let expression = format!("({a} * {b} * 2**{shift}) / ({b} * 2**{shift})");
        prop_assert_eq!(result(&expression), Ok(json!(a as f64)));
    }
}
