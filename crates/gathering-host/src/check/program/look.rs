//! Looking at values of another language as they are: whether they surely fit, without turning them into JSON.

use serde_json::{Number, Value};

use super::{
    ANY, ARRAY, BOOLEAN, INTEGER, NULL, NUMBER, Node, OBJECT, ObjectRules, Others, Rule, STRING, compare,
};

/// A value of another language.
pub trait Look {
    /// What is in it.
    type Inner: Look;

    /// What it is.
    fn see(&self) -> Seen<'_>;

    /// Whether `holds` holds for each item of an array; stops at the first for which it does not.
    fn items(&self, holds: impl FnMut(&Self::Inner) -> bool) -> bool;

    /// Whether `holds` holds for each key and value of an object. False, too, if a key is no text.
    fn entries(&self, holds: impl FnMut(&str, &Self::Inner) -> bool) -> bool;
}

/// What a value of another language is, in the words of JSON.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Seen<'a> {
    /// Nothing.
    Null,
    /// A boolean.
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A whole number beyond 64 bits.
    Huge,
    /// Any other number, those without a form in JSON included.
    Float(f64),
    /// A text.
    Text(&'a str),
    /// An array of so many items.
    Array(usize),
    /// An object of so many entries.
    Object(usize),
    /// Something that JSON has no word for.
    Other,
}

impl Seen<'_> {
    fn types(self) -> u8 {
        match self {
            Self::Null => NULL,
            Self::Bool(_) => BOOLEAN,
            Self::Integer(_) | Self::Huge => INTEGER | NUMBER,
            Self::Float(number) if number.fract() == 0.0 => INTEGER | NUMBER,
            Self::Float(_) => NUMBER,
            Self::Text(_) => STRING,
            Self::Array(_) => ARRAY,
            Self::Object(_) => OBJECT,
            Self::Other => 0,
        }
    }

    fn number(self) -> Option<Number> {
        match self {
            Self::Integer(number) => Some(number.into()),
            Self::Float(number) => Number::from_f64(number),
            _ => None,
        }
    }

    fn is(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Null, Value::Null) => true,
            (Self::Bool(flag), Value::Bool(one)) => flag == *one,
            (Self::Text(text), Value::String(one)) => text == one,
            (seen, Value::Number(one)) => seen.number().is_some_and(|number| compare(&number, one).is_eq()),
            _ => false,
        }
    }
}

impl Node {
    /// Whether arguments surely fit once those in `missing` are added, which their defaults are put into.
    pub(in crate::check) fn look_at_arguments<'a>(
        &'a self,
        arguments: &impl Look,
        missing: &mut Vec<(&'a str, Value)>,
    ) -> bool {
        let seen = arguments.see();
        self.types() & OBJECT != 0
            && self.rules().iter().all(|rule| rule.surely_holds(seen, arguments))
            && self.object().is_none_or(|object| object.surely_fits(arguments, Some(missing)))
    }

    /// Whether a value that has no form in JSON may stand for the property `name`.
    pub(in crate::check) fn takes_anything_as(&self, name: &str) -> bool {
        let Some(object) = self.object() else { return true };
        match (object.find(name), &object.others) {
            (Some(at), _) => matches!(object.properties[at].node, Node::Plain(ANY)),
            (None, Others::Checked(node)) => matches!(node, Node::Plain(ANY)),
            (None, Others::Taken) => true,
            (None, Others::Refused) => false,
        }
    }

    /// Whether a value surely fits.
    pub(in crate::check) fn surely_fits(&self, value: &impl Look) -> bool {
        if let Self::Plain(ANY) = self {
            return true;
        }
        let seen = value.see();
        (self.types() == ANY || self.types() & seen.types() != 0)
            && self.rules().iter().all(|rule| rule.surely_holds(seen, value))
            && match self.object() {
                Some(object) if matches!(seen, Seen::Object(_)) => object.surely_fits(value, None),
                _ => true,
            }
    }
}

impl ObjectRules {
    /// Defaults of what is left out are put into `missing`; where that cannot be, they are a reason to look closer.
    fn surely_fits<'a>(&'a self, value: &impl Look, missing: Option<&mut Vec<(&'a str, Value)>>) -> bool {
        // Whoever describes more properties than a word has bits, or requires what is not described, is looked at closely.
        if self.properties.len() > 64 || !self.required.is_empty() {
            return false;
        }
        let mut given = 0_u64;
        let fits = value.entries(|name, value| match (self.find(name), &self.others) {
            (Some(at), _) => {
                given |= 1 << at;
                self.properties[at].node.surely_fits(value)
            }
            (None, Others::Taken) => true,
            (None, Others::Refused) => false,
            (None, Others::Checked(node)) => node.surely_fits(value),
        });
        fits && (given.count_ones() as usize == self.properties.len() || self.can_do_without(given, missing))
    }

    fn can_do_without<'a>(&'a self, given: u64, mut missing: Option<&mut Vec<(&'a str, Value)>>) -> bool {
        self.properties.iter().enumerate().filter(|(at, _)| given & (1 << at) == 0).all(|(at, property)| {
            match (&property.default, &mut missing) {
                // What fills in a default fills in those inside of it, too.
                (Some(default), Some(missing)) if property.node.object().is_none() => {
                    missing.push((self.name(at), default.value()));
                    true
                }
                (Some(_), _) => false,
                (None, _) => !property.required,
            }
        })
    }
}

impl Rule {
    fn surely_holds(&self, seen: Seen<'_>, value: &impl Look) -> bool {
        let within = |holds: fn(std::cmp::Ordering) -> bool, bound: &Number| match seen {
            Seen::Huge => false,
            Seen::Integer(_) | Seen::Float(_) => seen.number().is_some_and(|n| holds(compare(&n, bound))),
            _ => true,
        };
        match (self, seen) {
            (Rule::Nothing, _) => false,
            (Rule::OneOf(values), seen) => values.iter().any(|one| seen.is(one)),
            (Rule::Minimum(bound), _) => within(|order| order.is_ge(), bound),
            (Rule::Maximum(bound), _) => within(|order| order.is_le(), bound),
            (Rule::ExclusiveMinimum(bound), _) => within(|order| order.is_gt(), bound),
            (Rule::ExclusiveMaximum(bound), _) => within(|order| order.is_lt(), bound),
            (Rule::MinLength(least), Seen::Text(text)) => text.chars().count() as u64 >= *least,
            (Rule::MaxLength(most), Seen::Text(text)) => {
                text.len() as u64 <= *most || text.chars().count() as u64 <= *most
            }
            (Rule::MinItems(least), Seen::Array(length)) => length as u64 >= *least,
            (Rule::MaxItems(most), Seen::Array(length)) => length as u64 <= *most,
            (Rule::MinProperties(least), Seen::Object(length)) => length as u64 >= *least,
            (Rule::MaxProperties(most), Seen::Object(length)) => length as u64 <= *most,
            (Rule::Items(node), Seen::Array(_)) => value.items(|item| node.surely_fits(item)),
            _ => true,
        }
    }
}
