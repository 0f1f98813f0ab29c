//! Icons: a few strokes each, in a square of 24.

use super::super::color::Color;
use super::super::draw::number;
use super::node::Node;

/// Each icon with what is drawn for it.
const ICONS: [(&str, &str); 25] = [
    ("home", "M4 11 12 4l8 7M6 10v10h12V10M10 20v-6h4v6"),
    ("search", "M11 5a6 6 0 1 0 0 12 6 6 0 0 0 0-12M15.5 15.5 20 20"),
    ("user", "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8M4.5 20c.8-4 3.7-6 7.500-6s6.700 2 7.500 6"),
    (
        "users",
        "M9 5a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7M3 19c.5-3.500 2.800-5 6-5s5.500 1.500 6 5M16 5.500a3.200 3.200 0 0 1 0 6M17.500 14.500c2 .6 3.200 2 3.500 4.500",
    ),
    ("settings", "M4 7h9M17 7h3M15 5v4M4 12h3M11 12h9M9 10v4M4 17h9M17 17h3M15 15v4"),
    ("bell", "M6 16V11a6 6 0 0 1 12 0v5l1.500 2h-15zM10 20.500h4"),
    ("plus", "M12 5v14M5 12h14"),
    ("menu", "M4 7h16M4 12h16M4 17h16"),
    ("check", "M5 12.500 10 17.500 19 7"),
    ("close", "M6 6l12 12M18 6 6 18"),
    ("chevron_right", "M9.500 6l6 6-6 6"),
    ("chevron_down", "M6 9.500l6 6 6-6"),
    ("arrow_up", "M12 19V6M6.500 11 12 5.500 17.500 11"),
    ("arrow_down", "M12 5v13M6.500 13l5.500 5.500 5.500-5.500"),
    (
        "heart",
        "M12 20C6 15.500 4 12.500 4 9.500 4 6.500 6 5 8 5c1.800 0 3.200 1 4 2.500C12.800 6 14.200 5 16 5c2 0 4 1.500 4 4.500 0 3-2 6-8 10.500z",
    ),
    ("star", "M12 4l2.500 5.200 5.500.8-4 4 1 5.600-5-2.700-5 2.700 1-5.600-4-4 5.500-.8z"),
    ("cart", "M3 5h2.500l2 10h10l2-7H6.500M9 19.500h.1M16 19.500h.1"),
    ("chart", "M5 20V11M10 20V5M15 20v-7M20 20V8"),
    ("calendar", "M5 6h14v14H5zM5 10.500h14M9 4v4M15 4v4"),
    ("mail", "M4 6h16v12H4zM4 7l8 6.500L20 7"),
    ("image", "M4 5h16v14H4zM4 16l5-5 4 4 2.500-2.500L20 17M15.500 9h.1"),
    ("lock", "M6 11h12v9H6zM8.500 11V8a3.500 3.500 0 0 1 7 0v3"),
    ("folder", "M4 6h6l2 2.500h8V18H4z"),
    ("clock", "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16M12 8v4.500l3 2"),
    ("info", "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16M12 11v5M12 8h.1"),
];

/// The names of all icons.
pub(super) fn names() -> Vec<&'static str> {
    ICONS.iter().map(|(name, _)| *name).collect()
}

/// An icon as large as `size`. A name that is none was refused before.
pub(super) fn icon(name: &str, size: f32, color: Color) -> Node {
    let path = ICONS.iter().find(|(known, _)| *known == name).map_or("", |(_, path)| *path);
    Node::vector(Some(size), size, move |width, _| drawn(path, width, color))
}

pub(super) fn drawn(path: &str, size: f32, color: Color) -> String {
    format!(
        "<path transform=\"scale({})\" d=\"{path}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.8\" \
         stroke-linecap=\"round\" stroke-linejoin=\"round\"/>",
        number(size / 24.0 * 100.0).parse::<f32>().unwrap_or(100.0) / 100.0,
        color.hex()
    )
}
