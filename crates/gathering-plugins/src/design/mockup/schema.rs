//! What `create_mockup` says of itself: every element with its fields, so that an agent need not guess.

use serde_json::{Value, json};

use super::icon;
use super::spec::WORDS;

/// The elements with their fields; `?` marks what may be left out.
const ELEMENTS: &str = "\
    row, column {children, gap?, padding?, align? (stretch|start|center|end), justify? (start|center|end|between), width?, \
    grow? (takes its share of the row), wrap?}; \
    card {title?, subtitle?, children?, width?, grow?}; \
    dialog {title, text?, actions? [button fields], children?, width?} lies over the screen; \
    navigation {kind? (top|side|bottom|tabs), brand?, items [text or {text, icon}], active? (index), user?, search?}; \
    form {title?, fields [{label, kind? (text|email|password|number|date|search|select|textarea|checkbox|radio|toggle|slider), \
    value?, placeholder?, help?, error?, checked?}], submit?, cancel?}; \
    table {columns [text], rows [[text, number or {badge, tone?}]], title?}; \
    chart {kind? (bar|line|area|donut), title?, labels [text], series [{name?, values [number]}], height?}; \
    list {title?, items [text or {title, subtitle?, meta?, icon?, avatar? (a name), badge?, tone?}]}; \
    text {text, style? (body|title|heading|subheading|caption|label|link), align?, muted?}; \
    button {text, variant? (primary|secondary|ghost|danger), icon?, full?}; \
    image {label?, width?, height?, round?}, a placeholder; \
    stat {label, value, change? (such as +4 %), icon?}; \
    alert {text, title?, tone?}; badge {text, tone?}; progress {value (0 to 100), label?}; divider {}; spacer {}. \
    Tones: neutral, info, success, warning, danger";

pub(in super::super) fn definition() -> Value {
    json!({
        "name": "create_mockup",
        "description": "Draws a screen of an application from a declaration of what is on it, as a wireframe or as it would \
            look in the end, for desktop, tablet or phone. Gives PNG, SVG and HTML that look the same; `output` saves them. \
            Parts that share a row lie below one another on a phone.",
        "category": "image",
        "required_competencies": ["wireframing"],
        "parameters": {
            "type": "object",
            "properties": {
                "spec": {
                    "type": "object",
                    "description": "The screen",
                    "properties": {
                        "title": {"type": "string", "maxLength": 200, "description": "Of the page"},
                        "device": {
                            "type": "string", "enum": ["desktop", "tablet", "phone"], "default": "desktop",
                            "description": "1440 x 900, 820 x 1180 or 390 x 844 pixels; higher where there is more on it",
                        },
                        "fidelity": {
                            "type": "string", "enum": ["high", "wireframe"], "default": "high",
                            "description": "With colours and shadows, or in greys",
                        },
                        "theme": {
                            "type": "object",
                            "properties": {
                                "mode": {"type": "string", "enum": ["light", "dark"], "description": "light by default"},
                                "primary": {"type": "string", "maxLength": 64, "description": "The colour of what is important, \
                                    as in `generate_palette`; #4f46e5 by default"},
                                "radius": {"type": "number", "minimum": 0, "maximum": 32, "description": "Of corners, in pixels; \
                                    10 by default"},
                                "font": {"type": "string", "maxLength": 100, "description": "A family of fonts; the best of \
                                    the system by default"},
                            },
                            "additionalProperties": false,
                        },
                        "children": {
                            "type": "array", "minItems": 1, "maxItems": 200,
                            "items": {
                                "type": "object",
                                "properties": {"type": {"type": "string", "description": WORDS.join(", ")}},
                                "required": ["type"],
                            },
                            "description": format!("What is on it, from top to bottom. Each element has `type` and the fields of \
                                that. {ELEMENTS}. Icons: {}", icon::names().join(", ")),
                        },
                    },
                    "required": ["children"],
                    "additionalProperties": false,
                },
                "scale": {
                    "type": "number", "default": 1, "minimum": 0.25, "maximum": 3,
                    "description": "Pixels of the PNG for each of the screen: 2 for displays of high density",
                },
                "output": {
                    "type": "string", "minLength": 1,
                    "description": "Where to save, without ending, such as `mockups/login`: `.png`, `.svg` and `.html` are \
                        written",
                },
                "overwrite": {
                    "type": "boolean", "default": false,
                    "description": "Whether files that are there are replaced",
                },
            },
            "required": ["spec"],
            "additionalProperties": false,
        },
        "returns": {
            "type": "object",
            "properties": {
                "width": {"type": "number", "description": "Of the screen, in pixels"},
                "height": {"type": "number", "description": "Of the screen, in pixels"},
                "files": {"type": "array", "items": {"type": "string"}, "description": "What was written"},
                "svg": {"type": "string", "description": "Where nothing was written"},
                "html": {"type": "string", "description": "Where nothing was written"},
            },
            "required": ["width", "height", "files"],
        },
        "examples": [
            {"description": "A form to sign in, on a phone", "arguments": {"spec": {
                "device": "phone",
                "theme": {"primary": "#0f766e"},
                "children": [
                    {"type": "text", "text": "Welcome back", "style": "title"},
                    {"type": "text", "text": "Sign in to go on", "muted": true},
                    {"type": "form", "fields": [
                        {"label": "Email", "kind": "email", "value": "ada@example.com"},
                        {"label": "Password", "kind": "password", "value": "secret123"},
                        {"label": "Stay signed in", "kind": "checkbox", "checked": true},
                    ]},
                    {"type": "button", "text": "Sign in", "full": true},
                ],
            }}},
            {"description": "A wireframe of a dashboard", "arguments": {"spec": {
                "fidelity": "wireframe",
                "children": [
                    {"type": "navigation", "kind": "side", "brand": "Shop", "items": [
                        {"text": "Overview", "icon": "home"}, {"text": "Orders", "icon": "cart"},
                    ]},
                    {"type": "row", "children": [
                        {"type": "stat", "label": "Revenue", "value": "48,200 €", "change": "+12 %"},
                        {"type": "stat", "label": "Orders", "value": "1,204", "change": "-3 %"},
                    ]},
                    {"type": "chart", "kind": "bar", "title": "Sales", "labels": ["Mon", "Tue", "Wed"],
                        "series": [{"name": "Sales", "values": [12, 19, 8]}]},
                    {"type": "table", "columns": ["Order", "Amount", "State"],
                        "rows": [["#1042", "120.00", {"badge": "Paid", "tone": "success"}]]},
                ],
            }}},
        ],
        "annotations": {"read_only": false, "destructive": true, "idempotent": true, "open_world": false},
    })
}
