//! Schemes: how the colours of a palette follow from one of them.

use palette::{Oklch, ShiftHue};
use serde::Deserialize;

use super::super::color::{BLACK, Color, WHITE};

/// How the colours of a palette relate (hues on the wheel of OKLCH).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Scheme {
    /// Two hues, 180 degrees apart.
    Complementary,
    /// Neighbours, 30 degrees apart, on both sides of the base.
    Analogous,
    /// Three hues, 120 degrees apart.
    Triadic,
    /// Four hues, 90 degrees apart.
    Tetradic,
    /// One hue, from dark to light.
    Monochromatic,
    /// The base, lighter and lighter.
    Tints,
    /// The base, darker and darker.
    Shades,
}

impl Scheme {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Complementary => "complementary",
            Self::Analogous => "analogous",
            Self::Triadic => "triadic",
            Self::Tetradic => "tetradic",
            Self::Monochromatic => "monochromatic",
            Self::Tints => "tints",
            Self::Shades => "shades",
        }
    }

    /// `count` colours that follow from `base`, which is among them, and the first except in a ramp.
    pub(super) fn colors(self, base: Color, count: usize) -> Vec<Color> {
        let turned = |degrees: &[f64]| round_the_wheel(base, degrees, count);
        match self {
            Self::Complementary => turned(&[0.0, 180.0]),
            Self::Triadic => turned(&[0.0, 120.0, 240.0]),
            Self::Tetradic => turned(&[0.0, 90.0, 180.0, 270.0]),
            Self::Analogous => {
                let step = |i: usize| {
                    let away = 30.0 * i.div_ceil(2) as f64;
                    if i % 2 == 1 { away } else { -away }
                };
                let rotate = |i| Color::from_oklch(base.oklch().shift_hue(step(i)));
                std::iter::once(base).chain((1..count).map(rotate)).collect()
            }
            Self::Monochromatic => ramp(base, count),
            Self::Tints => toward(base, WHITE, count),
            Self::Shades => toward(base, BLACK, count),
        }
    }
}

/// The base turned by each of `degrees`; where more colours are wanted, the same hues lighter or darker.
fn round_the_wheel(base: Color, degrees: &[f64], count: usize) -> Vec<Color> {
    let color = |i: usize| {
        if i == 0 {
            return base;
        }
        let turned = base.oklch().shift_hue(degrees[i % degrees.len()]);
        Color::from_oklch(Oklch { l: other_lightness(turned.l, i / degrees.len()), ..turned })
    };
    (0..count).map(color).collect()
}

/// The lightness of a hue when it comes again for the `round`th time: away from its own, first to where more room is.
fn other_lightness(own: f64, round: usize) -> f64 {
    let step = 0.16 * round.div_ceil(2) as f64;
    let is_lighter = (round % 2 == 1) == (own < 0.6);
    let other = if is_lighter { own + step } else { own - step };
    if round == 0 { own } else { other.clamp(0.22, 0.96) }
}

/// From dark to light, the base at its place. Chroma falls off toward both ends, where sRGB has less.
fn ramp(base: Color, count: usize) -> Vec<Color> {
    let own = base.oklch();
    let (darkest, lightest) = (own.l.min(0.25), own.l.max(0.95));
    let lightness = |i: usize| darkest + (lightest - darkest) * i as f64 / (count.max(2) - 1) as f64;
    let own_place =
        (0..count).min_by(|a, b| (lightness(*a) - own.l).abs().total_cmp(&(lightness(*b) - own.l).abs()));
    (0..count)
        .map(|i| {
            let l = lightness(i);
            let chroma = own.chroma * (1.0 - 0.6 * ((l - own.l).abs() / 0.6).min(1.0));
            if Some(i) == own_place { base } else { Color::from_oklch(Oklch { l, chroma, ..own }) }
        })
        .collect()
}

/// From the base toward `end`, which is not reached.
fn toward(base: Color, end: Color, count: usize) -> Vec<Color> {
    (0..count).map(|i| if i == 0 { base } else { base.mix(end, i as f64 / count as f64) }).collect()
}
