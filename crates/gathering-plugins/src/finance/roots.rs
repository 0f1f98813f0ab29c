//! All rates at which cash flows are worth nothing.

use crate::{Cancel, Failure};

/// The lowest and the highest rate that is looked for, as ln(1 + rate): from -99.9999998 % to 485,000,000 %.
const SPAN: (f64, f64) = (-20.0, 20.0);
/// The most changes of sign: beyond, rates of return mean nothing.
const MAX_CHANGES: usize = 100;
/// What counts as nothing, against the sum of the absolute terms.
const NOTHING: f64 = 1e-13;

/// The sum of `amount * exp(-time * t)`, which is the present value at the rate exp(t) - 1.
struct Terms(Vec<(f64, f64)>);

impl Terms {
    /// The value, scaled by something positive so that nothing overflows, with the sum of the absolute terms.
    fn at(&self, t: f64) -> (f64, f64) {
        let most = self.0.iter().map(|(time, _)| -time * t).fold(f64::NEG_INFINITY, f64::max);
        let terms = self.0.iter().map(|(time, amount)| amount * (-time * t - most).exp());
        terms.fold((0.0, 0.0), |(sum, size), term| (sum + term, size + term.abs()))
    }

    /// The sign of the value; 0 where rounding leaves none.
    fn sign(&self, t: f64) -> i8 {
        let (sum, size) = self.at(t);
        if sum.abs() <= NOTHING * size {
            0
        } else if sum > 0.0 {
            1
        } else {
            -1
        }
    }

    /// Between which terms the sign changes first.
    fn first_change(&self) -> Option<usize> {
        self.0.windows(2).position(|pair| (pair[0].1 > 0.0) != (pair[1].1 > 0.0))
    }

    fn changes(&self) -> usize {
        self.0.windows(2).filter(|pair| (pair[0].1 > 0.0) != (pair[1].1 > 0.0)).count()
    }
}

/// The rates at which the flows, pairs of a time in years and an amount, are worth nothing; lowest first.
///
/// With t = ln(1 + rate) the present value is a sum of exponentials. Multiplied by exp(m t), where m lies between the times
/// of two amounts of different signs, and differentiated, it has one change of sign fewer (Laguerre's proof of Descartes'
/// rule of signs), and between two roots of the derivative lies at most one root. So none is missed, those included where
/// the value touches zero without crossing it.
pub(super) fn rates(flows: &[(f64, f64)], cancel: &Cancel) -> Result<Vec<f64>, Failure> {
    let mut flows: Vec<(f64, f64)> = flows.to_vec();
    flows.sort_by(|one, other| one.0.total_cmp(&other.0));
    // Flows of one time are one flow.
    flows.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
    flows.retain(|(_, amount)| *amount != 0.0);
    let terms = Terms(flows);
    let changes = terms.changes();
    if changes > MAX_CHANGES {
        return Err(format!(
            "the cash flows change their sign {changes} times, more than {MAX_CHANGES}: compare them by `npv` at a rate of \
             your choice"
        )
        .into());
    }
    let roots = roots(&terms, cancel)?;
    Ok(roots.into_iter().map(f64::exp_m1).collect())
}

/// The roots within [`SPAN`], lowest first.
fn roots(terms: &Terms, cancel: &Cancel) -> Result<Vec<f64>, Failure> {
    cancel.check()?;
    let Some(change) = terms.first_change() else { return Ok(Vec::new()) };
    let middle = f64::midpoint(terms.0[change].0, terms.0[change + 1].0);
    let slopes: Vec<_> = terms.0.iter().map(|(time, amount)| (*time, amount * (middle - time))).collect();
    let size = slopes.iter().map(|(_, amount)| amount.abs()).fold(0.0, f64::max);
    let turns = match terms.changes() {
        1 => Vec::new(),
        _ => roots(&Terms(slopes.into_iter().map(|(time, amount)| (time, amount / size)).collect()), cancel)?,
    };
    let mut edges = vec![SPAN.0];
    edges.extend(turns);
    edges.push(SPAN.1);
    let mut found: Vec<f64> = Vec::new();
    for pair in edges.windows(2) {
        let (low, high) = (terms.sign(pair[0]), terms.sign(pair[1]));
        if low == 0 {
            // It touches zero where it turns; at the end of the span it is nothing that was reached.
            if pair[0] > SPAN.0 {
                found.push(pair[0]);
            }
        } else if high != 0 && low != high {
            found.push(between(terms, pair[0], pair[1], low));
        }
    }
    found.dedup_by(|next, kept| (*next - *kept).abs() < 1e-9);
    Ok(found)
}

/// The root between two places of different signs, by halving to the last bit.
fn between(terms: &Terms, mut low: f64, mut high: f64, sign: i8) -> f64 {
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        let (sum, _) = terms.at(middle);
        if sum == 0.0 {
            return middle;
        }
        if (sum > 0.0) == (sign > 0) { low = middle } else { high = middle }
    }
}
