//! Themes: every colour, radius and size that a mockup is drawn with, from a few words.

use palette::Oklch;
use serde::Deserialize;

use super::super::color::{BLACK, Color, WHITE};
use super::super::draw::Font;
use crate::Failure;

/// The theme as the caller writes it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ThemeSpec {
    #[serde(default)]
    mode: Mode,
    primary: Option<String>,
    radius: Option<f32>,
    font: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    #[default]
    Light,
    Dark,
}

/// How much of the final look a mockup has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fidelity {
    #[default]
    High,
    Wireframe,
}

/// What a word such as `success` looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tone {
    #[default]
    Neutral,
    Info,
    Success,
    Warning,
    Danger,
}

/// What everything is drawn with.
#[derive(Debug, Clone)]
pub(super) struct Theme {
    pub(super) font: Font,
    pub(super) background: Color,
    pub(super) surface: Color,
    /// Behind fields, heads of tables, and what is quiet.
    pub(super) sunken: Color,
    pub(super) border: Color,
    pub(super) text: Color,
    pub(super) muted: Color,
    pub(super) primary: Color,
    pub(super) on_primary: Color,
    pub(super) primary_soft: Color,
    /// The primary colour where it is text: it can be read on the surface.
    pub(super) link: Color,
    pub(super) series: [Color; 6],
    pub(super) radius: f32,
    pub(super) is_wireframe: bool,
    is_dark: bool,
}

impl Theme {
    pub(super) fn new(spec: &ThemeSpec, fidelity: Fidelity) -> Result<Self, Failure> {
        let primary = Color::parse(spec.primary.as_deref().unwrap_or("#4f46e5"))?;
        let is_dark = spec.mode == Mode::Dark;
        let is_wireframe = fidelity == Fidelity::Wireframe;
        let hue = primary.oklch().hue.into_positive_degrees();
        // A trace of the primary hue holds the greys together.
        let grey = |l: f64| Color::from_oklch(Oklch::new(l, if is_wireframe { 0.0 } else { 0.008 }, hue));
        let primary = if is_wireframe { grey(if is_dark { 0.85 } else { 0.32 }) } else { primary };
        let [background, surface, sunken, border, text, muted] = match is_dark {
            false => [grey(0.975), WHITE, grey(0.965), grey(0.915), grey(0.22), grey(0.52)],
            true => [grey(0.17), grey(0.215), grey(0.25), grey(0.32), grey(0.96), grey(0.72)],
        };
        let series = match is_wireframe {
            true => [0.35, 0.55, 0.7, 0.8, 0.45, 0.88].map(grey),
            false => [0.0, 155.0, 60.0, 260.0, 110.0, 320.0].map(|turn| {
                let own = primary.oklch();
                let l = if turn == 0.0 { own.l } else { (own.l + 0.14).clamp(0.62, 0.78) };
                Color::from_oklch(Oklch::new(l, own.chroma.clamp(0.08, 0.16), hue + turn))
            }),
        };
        let mut series = series;
        series[0] = primary;
        Ok(Self {
            font: Font::choose(spec.font.as_deref()),
            background,
            surface,
            sunken,
            border,
            text,
            muted,
            primary,
            on_primary: if primary.contrast(WHITE) >= 3.0 { WHITE } else { BLACK },
            primary_soft: surface.mix(primary, if is_dark { 0.24 } else { 0.1 }),
            link: readable(primary, surface, is_dark),
            series,
            radius: spec.radius.unwrap_or(if is_wireframe { 4.0 } else { 10.0 }).clamp(0.0, 32.0),
            is_wireframe,
            is_dark,
        })
    }

    /// The colours of a tone: of its text, and behind it.
    pub(super) fn tone(&self, tone: Tone) -> (Color, Color) {
        let hue = match tone {
            Tone::Neutral => return (self.muted, self.sunken),
            _ if self.is_wireframe => return (self.text, self.sunken),
            Tone::Info => 250.0,
            Tone::Success => 152.0,
            Tone::Warning => 70.0,
            Tone::Danger => 25.0,
        };
        let strong = Color::from_oklch(Oklch::new(if self.is_dark { 0.78 } else { 0.48 }, 0.13, hue));
        (strong, self.surface.mix(strong, if self.is_dark { 0.2 } else { 0.1 }))
    }
}

/// The colour, moved in lightness until it has 4.5:1 on `behind` (WCAG 2.2, 1.4.3).
fn readable(color: Color, behind: Color, is_dark: bool) -> Color {
    let mut own = color.oklch();
    let mut found = color;
    while found.contrast(behind) < 4.5 && (0.02..0.98).contains(&own.l) {
        own.l += if is_dark { 0.02 } else { -0.02 };
        found = Color::from_oklch(own);
    }
    found
}
