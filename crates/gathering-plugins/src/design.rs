//! The plugin `design`: palettes, pictures, mockups, and what design tools of others hold.

mod color;
mod competencies;
mod config;
mod draw;
mod edit;
mod figma;
mod generate;
mod mockup;
mod palette;
mod picture;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gathering_core::{Content, LoadError, LoadErrorKind, Plugin, PluginManifest, PluginSecrets, ToolOutput};
use serde_json::{Value, json};

use self::config::Config;
pub(crate) use self::edit::Edit;
use self::figma::Figma;
use self::generate::Provider;
pub(crate) use self::palette::TakeColors;
use crate::base::{Base, Names};
use crate::save::{Place, save};
use crate::worker::Workers;
use crate::{Builtin, Cancel, Failure, NativePlugin, OwnPlaces};

/// The plugin.
pub(crate) fn builtin(own: OwnPlaces, workers: Workers) -> Builtin {
    Builtin::with_secrets(manifest(), move |manifest, config, secrets| {
        start(manifest, config, &own, workers.clone(), secrets.clone())
    })
}

fn manifest() -> PluginManifest {
    let [inspect, export] = figma::definitions();
    let secrets: Vec<_> = generate::SECRETS.into_iter().chain([figma::SECRET]).collect();
    let manifest = json!({
        "metadata": {
            "id": "design",
            "name": "Design",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Pictures made and edited, palettes, mockups, and Figma",
            "author": "GatheRing Team",
            "license": "MIT OR Apache-2.0",
            "tags": ["design", "images", "colors", "mockups"],
            "config_schema": config::schema(),
            "permissions": {"secrets": secrets},
        },
        "tools": [
            generate::definition(),
            edit::definition(),
            palette::definition(),
            mockup::definition(),
            inspect,
            export,
        ],
        "competencies": competencies::definitions(),
    });
    serde_json::from_value(manifest).expect("the manifest is part of the program, and a test reads it")
}

/// What the tools share.
struct Design {
    base: Base,
    /// What is not written, because other programs run what it says.
    protected: Names,
    config: Config,
    /// Where pictures of strangers are decoded.
    workers: Workers,
    /// Who makes pictures, if the operator chose somebody.
    provider: Option<Provider>,
    figma: Figma,
    secrets: Arc<PluginSecrets>,
}

fn start(
    manifest: PluginManifest,
    config: &Value,
    own: &OwnPlaces,
    workers: Workers,
    secrets: Arc<PluginSecrets>,
) -> Result<Box<dyn Plugin>, LoadError> {
    let config: Config = own.configure(config)?;
    let base = Base::open("design", &config.base_path, &config.private)?;
    let refuse = |message| LoadError::new(LoadErrorKind::InvalidPlugin, message);
    let provider = config.image_provider.as_ref().map(Provider::new).transpose().map_err(refuse)?;
    let figma = Figma::new(&config.figma_url).map_err(refuse)?;
    let protected = Names::new(&config.protected);
    let design = Arc::new(Design { base, protected, config, workers, provider, figma, secrets });
    let [colors, edits, confines, draws, makes, feels, inspects, exports] =
        std::array::from_fn(|_| design.clone());
    NativePlugin::new(manifest)
        .async_tool("generate_palette", move |arguments, cx| {
            palette::generate_palette(colors.clone(), arguments, cx)
        })
        .async_tool("edit_image", move |arguments, cx| edit::edit_image(edits.clone(), arguments, cx))
        .tier_of("edit_image", move || confines.workers.tier())
        .blocking_tool("create_mockup", move |arguments, _, _| mockup::create_mockup(&draws, &arguments))
        .async_tool("generate_image", move |arguments, cx| {
            generate::generate_image(makes.clone(), arguments, cx)
        })
        .async_tool("figma_inspect", move |wanted, cx| figma::figma_inspect(inspects.clone(), wanted, cx))
        .async_tool("figma_export", move |wanted, cx| figma::figma_export(exports.clone(), wanted, cx))
        .health(move || generate::health(feels.provider.as_ref()))
        .finish()
}

impl Design {
    /// A secret as it is now, if it is there and granted.
    async fn secret(&self, name: &str) -> Result<Option<String>, Failure> {
        let (secrets, name) = (self.secrets.clone(), name.to_owned());
        on_a_thread(move || secrets.get(&name).map_err(|error| Failure::new(error.to_string()))).await
    }

    /// Writes one file, whole or not at all. Folders on the way are made.
    fn save(&self, path: &str, bytes: &[u8], overwrite: bool) -> Result<(), Failure> {
        let most = self.config.max_file_bytes;
        if bytes.len() > most {
            let count = bytes.len();
            return Err(format!(
                "the picture has {count} bytes, more than the {most} of the setting `max_file_bytes`"
            )
            .into());
        }
        let place = Place { given: path, create_parents: true, overwrite };
        save(&self.base, &self.protected, place, bytes, &Cancel::default()).map(|_| ())
    }

    /// Writes files that share a name and differ in their endings. Gives their paths.
    fn save_all(&self, stem: &str, files: &[(&str, &[u8])], overwrite: bool) -> Result<Vec<String>, Failure> {
        let mut written = Vec::new();
        for (ending, bytes) in files {
            let path = format!("{stem}.{ending}");
            self.save(&path, bytes, overwrite)?;
            written.push(path);
        }
        Ok(written)
    }
}

/// A result with a picture beside it, which a model can look at.
fn with_picture(value: Value, bytes: &[u8], media_type: &str) -> ToolOutput {
    let picture = Content::Image { data: STANDARD.encode(bytes), media_type: media_type.to_owned() };
    let parts = vec![Content::Json { value: value.clone() }, picture];
    ToolOutput { value, parts }
}

/// Runs what blocks.
async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Failure::new(format!("the tool was stopped: {error}"))))
}
