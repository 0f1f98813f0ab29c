//! The competencies of the design plugin.

use serde_json::{Value, json};

pub(super) fn definitions() -> Value {
    json!([
        {
            "id": "color_theory",
            "name": "Color Theory",
            "description": "Choosing colours that go together and can be read",
            "category": "graphic_design",
            "level": "novice",
            "capabilities": ["Build palettes from a colour, a picture or a mood", "Judge contrast by WCAG"],
            "tools_enabled": ["generate_palette"],
        },
        {
            "id": "ui_design",
            "name": "Interface Design",
            "description": "Designing interfaces that people understand at once",
            "category": "ui_ux_design",
            "prerequisites": ["color_theory"],
            "capabilities": ["Choose hierarchy, spacing and colour", "Design for desktop, tablet and phone"],
        },
        {
            "id": "wireframing",
            "name": "Wireframing",
            "description": "Laying screens out before they are built",
            "category": "ui_ux_design",
            "prerequisites": ["ui_design"],
            "capabilities": ["Draw wireframes and mockups", "Turn them into HTML"],
            "tools_enabled": ["create_mockup"],
        },
        {
            "id": "ai_image_generation",
            "name": "AI Image Generation",
            "description": "Describing pictures so that a model makes what is meant",
            "category": "graphic_design",
            "prerequisites": ["color_theory"],
            "capabilities": ["Write prompts for pictures", "Choose sizes and seeds"],
            "tools_enabled": ["generate_image"],
        },
        {
            "id": "image_editing",
            "name": "Image Editing",
            "description": "Changing pictures: size, crop, colour, text, format",
            "category": "graphic_design",
            "level": "novice",
            "capabilities": ["Resize and crop for a purpose", "Correct colours", "Convert between formats"],
            "tools_enabled": ["edit_image"],
        },
        {
            "id": "graphic_design",
            "name": "Graphic Design",
            "description": "Looking into design files, and taking pictures out of them",
            "category": "graphic_design",
            "capabilities": ["Read the structure of a Figma file", "Export its parts"],
            "tools_enabled": ["figma_inspect", "figma_export"],
        },
    ])
}
