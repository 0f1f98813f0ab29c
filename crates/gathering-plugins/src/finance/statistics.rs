//! What is computed from series of returns. Variances and covariances are those of samples: divided by n - 1.

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The covariance of two series of one length, of at least two values.
pub(super) fn covariance(one: &[f64], other: &[f64]) -> f64 {
    let (mean_of_one, mean_of_other) = (mean(one), mean(other));
    let sum: f64 = one.iter().zip(other).map(|(x, y)| (x - mean_of_one) * (y - mean_of_other)).sum();
    sum / (one.len() - 1) as f64
}

pub(super) fn deviation(values: &[f64]) -> f64 {
    covariance(values, values).sqrt()
}

/// The coefficient of Pearson; none where a series does not move.
pub(super) fn correlation(one: &[f64], other: &[f64]) -> Option<f64> {
    let product = deviation(one) * deviation(other);
    (product > 0.0).then(|| (covariance(one, other) / product).clamp(-1.0, 1.0))
}

/// The value below which the part `p` lies, between neighbours by a straight line: R's type 7, the default of NumPy.
pub(super) fn quantile(values: &[f64], p: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = p * (sorted.len() - 1) as f64;
    let (below, part) = (at.floor() as usize, at.fract());
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * part
}

/// The simple returns between each price and the next.
pub(super) fn returns(prices: &[f64]) -> Vec<f64> {
    prices.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect()
}

/// The largest fall from a peak, and where the peak and the trough lie in `values`.
pub(super) struct Drawdown {
    /// The part lost, 0 to 1.
    pub(super) part: f64,
    pub(super) peak: usize,
    pub(super) trough: usize,
}

pub(super) fn drawdown(values: &[f64]) -> Drawdown {
    let mut most = Drawdown { part: 0.0, peak: 0, trough: 0 };
    let mut peak = 0;
    for (at, value) in values.iter().enumerate() {
        if *value > values[peak] {
            peak = at;
        }
        let part = 1.0 - value / values[peak];
        if part > most.part {
            most = Drawdown { part, peak, trough: at };
        }
    }
    most
}
