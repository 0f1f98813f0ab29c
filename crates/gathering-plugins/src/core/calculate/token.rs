//! The words of an expression: numbers, names, operators.

use num_bigint::BigInt;
use num_traits::Num;

use super::number::Number;
use super::parser::Mistake;

/// The most bytes an expression may have.
const MAX_LENGTH: usize = 10_000;
/// The most tokens an expression may have.
const MAX_TOKENS: usize = 1_000;

/// One word of an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token<'a> {
    /// A number as written.
    Number(Number),
    /// The name of a function or a constant, or `of`.
    Name(&'a str),
    /// An operator, a parenthesis or a comma.
    Symbol(&'static str),
    /// The end.
    End,
}

/// A token, and where it begins in bytes.
pub(super) type Placed<'a> = (Token<'a>, usize);

/// Longer ones before those they begin with.
const SYMBOLS: [&str; 18] =
    ["**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "(", ")", ",", "<", ">", "^", "="];

/// Takes an expression apart. The last token is [`Token::End`].
pub(super) fn tokens(text: &str) -> Result<Vec<Placed<'_>>, Mistake> {
    if text.len() > MAX_LENGTH {
        let message = format!("the expression has {} bytes, more than {MAX_LENGTH}", text.len());
        return Err(Mistake { message, at: None });
    }
    let mut tokens = Vec::new();
    let mut at = 0;
    loop {
        at += text[at..].len() - text[at..].trim_start().len();
        if tokens.len() > MAX_TOKENS {
            let message = format!("the expression has more than {MAX_TOKENS} numbers, names and operators");
            return Err(Mistake { message, at: Some(at) });
        }
        let (token, length) = next(&text[at..]).map_err(|message| Mistake { message, at: Some(at) })?;
        let is_end = token == Token::End;
        tokens.push((token, at));
        if is_end {
            return Ok(tokens);
        }
        at += length;
    }
}

fn next(rest: &str) -> Result<(Token<'_>, usize), String> {
    let Some(first) = rest.chars().next() else { return Ok((Token::End, 0)) };
    let second = rest.as_bytes().get(1);
    if first.is_ascii_digit() || (first == '.' && second.is_some_and(u8::is_ascii_digit)) {
        return number(rest);
    }
    if first.is_alphabetic() || first == '_' {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        return Ok((Token::Name(&rest[..end]), end));
    }
    match SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
        Some(&"^") => Err("`^` is not an operator here: powers are written `**`".into()),
        Some(&"=") => Err("`=` is not an operator here: equality is written `==`".into()),
        Some(symbol) => Ok((Token::Symbol(symbol), symbol.len())),
        None => Err("this has no meaning here".into()),
    }
}

/// A number as Python writes it: `1_000`, `0xff`, `2.5`, `.5`, `1e-3`.
fn number(rest: &str) -> Result<(Token<'_>, usize), String> {
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if rest.get(..2).is_some_and(|start| start.eq_ignore_ascii_case(prefix)) {
            let length = run(&rest[2..], |c| c.is_ascii_alphanumeric() || c == '_');
            let digits = rest[2..2 + length].trim_start_matches('_').replace('_', "");
            let value = BigInt::from_str_radix(&digits, radix)
                .map_err(|_| format!("`{}` is not a number", &rest[..2 + length]))?;
            return Ok((Token::Number(Number::Int(value)), 2 + length));
        }
    }
    let digits = |text: &str| run(text, |c| c.is_ascii_digit() || c == '_');
    let whole = digits(rest);
    let mut end = whole;
    if rest[end..].starts_with('.') {
        end += 1;
        end += digits(&rest[end..]);
    }
    if rest[end..].starts_with(['e', 'E']) {
        let sign = usize::from(rest[end + 1..].starts_with(['+', '-']));
        let exponent = digits(&rest[end + 1 + sign..]);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    let written = &rest[..end];
    if rest[end..].starts_with(|c: char| c.is_alphanumeric() || c == '_') || misplaced_underscore(written) {
        let length = end + run(&rest[end..], |c| c.is_alphanumeric() || c == '_');
        return Err(format!("`{}` is not a number", &rest[..length]));
    }
    let plain = written.replace('_', "");
    let number = if end == whole {
        if plain.len() > 1 && plain.starts_with('0') && plain.bytes().any(|digit| digit != b'0') {
            return Err(format!("`{written}` begins with a zero: leave that out"));
        }
        Number::Int(plain.parse().map_err(|_| format!("`{written}` is not a number"))?)
    } else {
        let value: f64 = plain.parse().map_err(|_| format!("`{written}` is not a number"))?;
        Number::float(value).map_err(|_| format!("`{written}` is too large for a float"))?
    };
    Ok((Token::Number(number), end))
}

fn misplaced_underscore(written: &str) -> bool {
    written
        .split(|c: char| !c.is_ascii_digit() && c != '_')
        .any(|digits| digits.starts_with('_') || digits.ends_with('_') || digits.contains("__"))
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}
