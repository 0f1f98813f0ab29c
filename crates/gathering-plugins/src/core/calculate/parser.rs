//! Reads an expression and computes it as it goes: a Pratt parser with the precedences of Python.

use std::cmp::Ordering;

use super::functions;
use super::number::{Arithmetic, Number, Outcome};
use super::token::{Placed, Token, tokens};

/// How deep parentheses, calls, signs and powers may be nested.
const MAX_DEPTH: usize = 64;

/// What is wrong with an expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mistake {
    /// What is wrong, and what would be right.
    pub(super) message: String,
    /// The byte where it shows.
    pub(super) at: Option<usize>,
}

/// Computes an expression.
pub(super) fn evaluate(text: &str) -> Result<Number, Mistake> {
    let mut parser = Parser { tokens: &tokens(text)?, next: 0, depth: 0, arithmetic: Arithmetic::new() };
    if *parser.peek() == Token::End {
        return Err(Mistake { message: "the expression is empty".into(), at: None });
    }
    let value = parser.comparison()?;
    match parser.peek() {
        Token::End => Ok(value),
        Token::Symbol(")") => parser.mistake("there is no `(` for this `)`"),
        _ => parser.mistake("an operator is missing before this"),
    }
}

struct Parser<'a> {
    tokens: &'a [Placed<'a>],
    next: usize,
    depth: usize,
    arithmetic: Arithmetic,
}

type Operator = fn(&mut Arithmetic, Number, Number) -> Outcome<Number>;

impl<'a> Parser<'a> {
    fn peek(&self) -> &'a Token<'a> {
        &self.tokens[self.next].0
    }

    /// Where the next token begins.
    fn at(&self) -> usize {
        self.tokens[self.next].1
    }

    /// Goes on by one token; stays at the end.
    fn step(&mut self) {
        self.next = (self.next + 1).min(self.tokens.len() - 1);
    }

    fn takes(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Token::Symbol(next) if *next == symbol);
        if found {
            self.step();
        }
        found
    }

    fn mistake<T>(&self, message: impl Into<String>) -> Result<T, Mistake> {
        Err(Mistake { message: message.into(), at: Some(self.at()) })
    }

    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T, Mistake>) -> Result<T, Mistake> {
        if self.depth == MAX_DEPTH {
            return self.mistake(format!("the expression is nested deeper than {MAX_DEPTH}"));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    /// `a < b <= c` means that both hold. Unlike in Python all parts are computed.
    fn comparison(&mut self) -> Result<Number, Mistake> {
        let mut left = self.sum()?;
        let mut holds = None;
        while let Token::Symbol(symbol) = self.peek()
            && let Some(accepts) = comparison(symbol)
        {
            self.step();
            let right = self.sum()?;
            holds = Some(holds.unwrap_or(true) && accepts(left.compare(&right)));
            left = right;
        }
        Ok(holds.map_or(left, Number::Bool))
    }

    fn sum(&mut self) -> Result<Number, Mistake> {
        let mut left = self.product()?;
        loop {
            let operator: Operator = match self.peek() {
                Token::Symbol("+") => Arithmetic::add,
                Token::Symbol("-") => Arithmetic::subtract,
                _ => return Ok(left),
            };
            left = self.binary(left, operator, Self::product)?;
        }
    }

    fn product(&mut self) -> Result<Number, Mistake> {
        let mut left = self.signed()?;
        loop {
            let operator: Operator = match self.peek() {
                Token::Symbol("*") => Arithmetic::multiply,
                Token::Symbol("/") => Arithmetic::divide,
                Token::Symbol("//") => Arithmetic::floor_divide,
                Token::Symbol("%") => Arithmetic::remainder,
                _ => return Ok(left),
            };
            left = self.binary(left, operator, Self::signed)?;
        }
    }

    fn binary(
        &mut self,
        left: Number,
        mut operator: Operator,
        right: fn(&mut Self) -> Result<Number, Mistake>,
    ) -> Result<Number, Mistake> {
        let at = self.at();
        let is_percent = self.takes("%");
        if is_percent && *self.peek() == Token::Name("of") {
            operator = Arithmetic::percent;
        }
        if !is_percent || *self.peek() == Token::Name("of") {
            self.step();
        }
        if is_percent && matches!(self.peek(), Token::End | Token::Symbol(")" | ",")) {
            return self.mistake("`%` is the remainder of a division; a percentage is written `15% of 200`");
        }
        let right = right(self)?;
        operator(&mut self.arithmetic, left, right).map_err(|message| Mistake { message, at: Some(at) })
    }

    fn signed(&mut self) -> Result<Number, Mistake> {
        if self.takes("-") {
            return self.deeper(Self::signed).map(Number::negated);
        }
        if self.takes("+") {
            return self.deeper(Self::signed).map(Number::plain);
        }
        let base = self.atom()?;
        let at = self.at();
        if !self.takes("**") {
            return Ok(base);
        }
        // Binds tighter than a sign on its left and less than one on its right: -2**-2 is -(2**(-2)).
        let exponent = self.deeper(Self::signed)?;
        self.arithmetic.power(base, exponent).map_err(|message| Mistake { message, at: Some(at) })
    }

    fn atom(&mut self) -> Result<Number, Mistake> {
        match self.peek() {
            Token::Number(number) => {
                self.step();
                Ok(number.clone())
            }
            Token::Symbol("(") => {
                self.step();
                let value = self.deeper(Self::comparison)?;
                if self.takes(")") { Ok(value) } else { self.mistake("a `)` is missing here") }
            }
            Token::Name(name) => self.name(name),
            Token::End => self.mistake("the expression ends where a number was expected"),
            Token::Symbol(symbol) => self.mistake(format!("a number was expected, not `{symbol}`")),
        }
    }

    fn name(&mut self, name: &str) -> Result<Number, Mistake> {
        let at = self.at();
        let is_call = matches!(self.tokens.get(self.next + 1), Some((Token::Symbol("("), _)));
        if !is_call {
            return match functions::constant(name) {
                Some(value) => {
                    self.step();
                    Ok(Number::Float(value))
                }
                None if functions::is_function(name) => {
                    self.mistake(format!("`{name}` is a function: write `{name}(...)`"))
                }
                None => self.mistake(functions::unknown(name)),
            };
        }
        if !functions::is_function(name) {
            return self.mistake(functions::unknown(name));
        }
        self.step();
        self.step();
        let mut arguments = Vec::new();
        while !self.takes(")") {
            arguments.push(self.deeper(Self::comparison)?);
            if !self.takes(",") && !matches!(self.peek(), Token::Symbol(")")) {
                return self.mistake(format!("a `,` or the `)` of `{name}(` is missing here"));
            }
        }
        functions::call(name, arguments, &mut self.arithmetic)
            .map_err(|message| Mistake { message, at: Some(at) })
    }
}

/// Which outcomes of a comparison the operator takes.
fn comparison(symbol: &str) -> Option<fn(Ordering) -> bool> {
    Some(match symbol {
        "==" => Ordering::is_eq,
        "!=" => Ordering::is_ne,
        "<" => Ordering::is_lt,
        "<=" => Ordering::is_le,
        ">" => Ordering::is_gt,
        ">=" => Ordering::is_ge,
        _ => return None,
    })
}
