//! Moods: which base, and which scheme, a word stands for.
//!
//! Hue carries the temperature of a mood, chroma its energy and lightness its weight (after Valdez and Mehrabian, "Effects
//! of color on emotions", Journal of Experimental Psychology 123, 1994: pleasure and calm rise with lightness, arousal with
//! saturation). The colours are our choice within that.

use palette::Oklch;

use super::super::color::Color;
use super::scheme::Scheme;

/// Each mood with lightness, chroma, hue (OKLCH) and scheme.
const MOODS: [(&str, [f64; 3], Scheme); 16] = [
    ("calm", [0.72, 0.07, 220.0], Scheme::Analogous),
    ("energetic", [0.68, 0.21, 42.0], Scheme::Triadic),
    ("warm", [0.70, 0.15, 55.0], Scheme::Analogous),
    ("cool", [0.62, 0.12, 235.0], Scheme::Analogous),
    ("natural", [0.60, 0.11, 135.0], Scheme::Analogous),
    ("earthy", [0.52, 0.08, 62.0], Scheme::Analogous),
    ("playful", [0.74, 0.17, 350.0], Scheme::Tetradic),
    ("romantic", [0.70, 0.13, 5.0], Scheme::Analogous),
    ("elegant", [0.36, 0.06, 300.0], Scheme::Monochromatic),
    ("luxurious", [0.40, 0.12, 310.0], Scheme::Complementary),
    ("professional", [0.46, 0.13, 258.0], Scheme::Complementary),
    ("futuristic", [0.62, 0.20, 285.0], Scheme::Triadic),
    ("retro", [0.66, 0.13, 75.0], Scheme::Tetradic),
    ("melancholic", [0.48, 0.05, 255.0], Scheme::Monochromatic),
    ("dark", [0.30, 0.05, 270.0], Scheme::Monochromatic),
    ("pastel", [0.87, 0.07, 330.0], Scheme::Tetradic),
];

/// The words for moods.
pub(super) fn words() -> Vec<&'static str> {
    MOODS.iter().map(|(word, ..)| *word).collect()
}

/// The base and the scheme of a mood.
pub(super) fn find(wanted: &str) -> Option<(Color, Scheme)> {
    let (_, [l, c, h], scheme) = MOODS.iter().find(|(word, ..)| *word == wanted)?;
    Some((Color::from_oklch(Oklch::new(*l, *c, *h)), *scheme))
}
