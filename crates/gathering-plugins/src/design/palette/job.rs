//! The colours of a picture as a job of a confined worker.

use std::fs::File;
use std::io::Read;

use serde::{Deserialize, Serialize};

use super::super::picture;
use super::cluster::clusters;
use crate::worker::Job;

/// The largest side of the picture that colours are taken from: more pixels say no more about them.
const SAMPLED: u32 = 256;

/// Takes colours from the picture that is the only file.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TakeColors {
    pub(super) count: usize,
    pub(super) most_bytes: usize,
}

impl Job for TakeColors {
    const NAME: &'static str = "design.colors";
    /// Each colour as hex with its share, or why the picture cannot be used.
    type Output = Result<Vec<(String, f64)>, String>;

    fn run(self, files: Vec<File>) -> Self::Output {
        let mut bytes = Vec::new();
        for file in files {
            file.take(self.most_bytes as u64 + 1)
                .read_to_end(&mut bytes)
                .map_err(|error| format!("it cannot be read: {error}"))?;
        }
        if bytes.len() > self.most_bytes {
            return Err(format!(
                "it has more than the {} bytes of the setting `max_file_bytes`",
                self.most_bytes
            ));
        }
        let pixels = picture::decode(&bytes)?.pixels;
        let sample = pixels.thumbnail(SAMPLED.min(pixels.width()), SAMPLED.min(pixels.height()));
        let found = clusters(&sample.to_rgba8(), self.count)?;
        Ok(found.into_iter().map(|(color, share)| (color.hex(), share)).collect())
    }
}
