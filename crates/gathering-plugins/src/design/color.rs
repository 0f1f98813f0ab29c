//! Colours: read from text, turned in OKLCH, brought back into sRGB, compared, and named.

use palette::color_difference::{EuclideanDistance, Wcag21RelativeContrast};
use palette::convert::FromColorUnclamped;
use palette::{Hsl, IntoColor, IsWithinBounds, Oklab, Oklch, Srgb};
use serde_json::{Value, json};

use crate::Failure;
use crate::base::shown;

/// A colour of a screen: sRGB with 8 bits a channel (IEC 61966-2-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Color(pub(super) Srgb<u8>);

pub(super) const BLACK: Color = Color(Srgb::new(0, 0, 0));
pub(super) const WHITE: Color = Color(Srgb::new(255, 255, 255));

/// The difference in Oklab that is just noticed (CSS Color 4, section 13.2).
const JUST_NOTICED: f64 = 0.02;
/// How exact a reduced chroma is.
const CHROMA_STEP: f64 = 0.0001;

impl Color {
    /// Reads `#rgb`, `#rrggbb`, `rgb(r, g, b)`, `hsl(h, s%, l%)`, `oklch(l c h)`, or one of the 148 names of CSS.
    pub(super) fn parse(text: &str) -> Result<Self, Failure> {
        let lower = text.trim().to_ascii_lowercase();
        let read = if lower.starts_with('#') {
            lower.parse::<Srgb<u8>>().ok().map(Color)
        } else if let Some((function, numbers)) = function(&lower) {
            match (function, numbers) {
                ("rgb", [r, g, b]) if [r, g, b].iter().all(|value| (0.0..=255.0).contains(value)) => {
                    let channel = |value: f64| value.round() as u8;
                    Some(Self(Srgb::new(channel(r), channel(g), channel(b))))
                }
                ("hsl", [h, s, l]) if (0.0..=100.0).contains(&s) && (0.0..=100.0).contains(&l) => {
                    let color: Srgb<f64> = Hsl::new(h, s / 100.0, l / 100.0).into_color();
                    Some(Self(color.into_format()))
                }
                ("oklch", [l, c, h]) if (0.0..=1.0).contains(&l) && (0.0..=1.0).contains(&c) => {
                    Some(Self::from_oklch(Oklch::new(l, c, h)))
                }
                _ => None,
            }
        } else {
            palette::named::from_str(&lower.replace([' ', '-', '_'], "")).map(Color)
        };
        read.ok_or_else(|| {
            format!(
                "`{}` is no colour: expected one such as `#3366cc`, `rgb(51, 102, 204)`, `hsl(220, 60%, 50%)`, \
                 `oklch(0.53 0.16 260)`, or a name of CSS such as `teal`",
                shown(text)
            )
            .into()
        })
    }

    /// The colour of a screen that is nearest to one in OKLCH: what lies outside of sRGB loses chroma, and keeps lightness
    /// and hue, until the rest can be clipped without being noticed (CSS Color 4, section 13.2.2).
    pub(super) fn from_oklch(color: Oklch<f64>) -> Self {
        if color.l >= 1.0 {
            return WHITE;
        }
        if color.l <= 0.0 {
            return BLACK;
        }
        let clipped = |color: Oklch<f64>| {
            let rgb = Srgb::from_color_unclamped(color);
            Srgb::new(rgb.red.clamp(0.0, 1.0), rgb.green.clamp(0.0, 1.0), rgb.blue.clamp(0.0, 1.0))
        };
        let is_inside = |color: Oklch<f64>| Srgb::from_color_unclamped(color).is_within_bounds();
        let off = |color: Oklch<f64>| {
            Oklab::from_color_unclamped(clipped(color)).distance(Oklab::from_color_unclamped(color))
        };
        if is_inside(color) || off(color) < JUST_NOTICED {
            return Self(clipped(color).into_format());
        }
        let (mut least, mut most, mut least_is_inside, mut current) = (0.0, color.chroma, true, color);
        while most - least > CHROMA_STEP {
            current.chroma = (least + most) / 2.0;
            if least_is_inside && is_inside(current) {
                least = current.chroma;
                continue;
            }
            let off = off(current);
            if off >= JUST_NOTICED {
                most = current.chroma;
            } else if JUST_NOTICED - off < CHROMA_STEP {
                break;
            } else {
                least_is_inside = false;
                least = current.chroma;
            }
        }
        Self(clipped(current).into_format())
    }

    pub(super) fn oklab(self) -> Oklab<f64> {
        Oklab::from_color_unclamped(self.0.into_format::<f64>())
    }

    pub(super) fn oklch(self) -> Oklch<f64> {
        Oklch::from_color_unclamped(self.oklab())
    }

    /// Such as `#3366cc`.
    pub(super) fn hex(self) -> String {
        format!("#{:x}", self.0)
    }

    /// How much two colours differ in luminance: 1 to 21 (WCAG 2.2, "contrast ratio").
    pub(super) fn contrast(self, other: Self) -> f64 {
        self.0.into_format::<f64>().relative_contrast(other.0.into_format())
    }

    /// Black or white, whichever can be read better on it.
    pub(super) fn text(self) -> Self {
        if self.contrast(WHITE) >= self.contrast(BLACK) { WHITE } else { BLACK }
    }

    /// A part `amount` (0 to 1) of the way to `other`, in Oklab.
    pub(super) fn mix(self, other: Self, amount: f64) -> Self {
        let (from, to) = (self.oklab(), other.oklab());
        Self::from_oklch(Oklch::from_color_unclamped(from + (to - from) * amount))
    }

    /// The name of CSS whose colour is nearest in Oklab. Of two names for one colour it is the first of the alphabet.
    pub(super) fn name(self) -> &'static str {
        let own = self.oklab();
        let distance = |color: Srgb<u8>| Color(color).oklab().distance_squared(own);
        palette::named::entries()
            .min_by(|(a, one), (b, two)| distance(*one).total_cmp(&distance(*two)).then(a.cmp(b)))
            .map_or("", |(name, _)| name)
    }

    /// The colour in each way of writing it, with its contrasts.
    pub(super) fn described(self) -> Value {
        let Srgb { red, green, blue, .. } = self.0;
        let hsl: Hsl<_, f64> = self.0.into_format::<f64>().into_color();
        let oklch = self.oklch();
        // Grey has no hue; what rounding leaves of one means nothing.
        let hue = if oklch.chroma < 0.0005 { 0.0 } else { oklch.hue.into_positive_degrees() };
        let text = self.text();
        json!({
            "name": self.name(),
            "hex": self.hex(),
            "rgb": {"r": red, "g": green, "b": blue},
            "hsl": {
                "h": rounded(hsl.hue.into_positive_degrees(), 1),
                "s": rounded(hsl.saturation * 100.0, 1),
                "l": rounded(hsl.lightness * 100.0, 1),
            },
            "oklch": {"l": rounded(oklch.l, 4), "c": rounded(oklch.chroma, 4), "h": rounded(hue, 2)},
            "contrast": {
                "black": rounded(self.contrast(BLACK), 2),
                "white": rounded(self.contrast(WHITE), 2),
                "text": text.hex(),
                "level": level(self.contrast(text)),
            },
        })
    }
}

/// What a contrast is enough for (WCAG 2.2, success criteria 1.4.3 and 1.4.6).
pub(super) fn level(contrast: f64) -> &'static str {
    match contrast {
        ratio if ratio >= 7.0 => "AAA",
        ratio if ratio >= 4.5 => "AA",
        ratio if ratio >= 3.0 => "AA large text",
        _ => "decorative",
    }
}

pub(super) fn rounded(value: f64, places: i32) -> f64 {
    let power = 10_f64.powi(places);
    // The addition turns -0 into 0.
    (value * power).round() / power + 0.0
}

/// The name and the three numbers of `name(a, b, c)`, separated by commas or spaces.
fn function(text: &str) -> Option<(&str, [f64; 3])> {
    let (name, rest) = text.split_once('(')?;
    let inside = rest.strip_suffix(')')?;
    let words = inside.split([',', ' ']).filter(|word| !word.is_empty());
    let numbers: Option<Vec<f64>> = words
        .map(|word| {
            word.trim_end_matches("deg").trim_end_matches('%').parse().ok().filter(|n: &f64| n.is_finite())
        })
        .collect();
    Some((name.trim(), numbers?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_read_however_they_are_written() {
        for text in ["#3366cc", "#36C", " rgb(51, 102, 204) ", "rgb(51 102 204)", "hsl(220, 60%, 50%)"] {
            assert_eq!(Color::parse(text).map(Color::hex), Ok("#3366cc".to_owned()), "{text}");
        }
        assert_eq!(Color::parse("Rebecca Purple").map(Color::hex), Ok("#663399".to_owned()));
        for bad in ["", "#12", "rgb(1,2)", "rgb(1,2,300)", "rgb(nan,0,0)", "bluish", "hsl(1 2 x)", "#ééé"]
        {
            assert!(Color::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn contrast_is_that_of_the_recommendation() {
        assert_eq!(rounded(BLACK.contrast(WHITE), 2), 21.0);
        // The grey that WebAIM names as the lightest with 4.5:1 on white.
        assert_eq!(rounded(Color(Srgb::new(0x76, 0x76, 0x76)).contrast(WHITE), 2), 4.54);
    }
}
