//! The colours of a picture: clusters of its pixels in Oklab, found the same way each time.

use std::collections::BTreeMap;

use image::RgbaImage;
use palette::color_difference::EuclideanDistance;
use palette::convert::FromColorUnclamped;
use palette::{Oklab, Oklch, Srgb};

use super::super::color::Color;

/// How often clusters are moved at most; they rest long before.
const MAX_ROUNDS: usize = 60;

/// Pixels of nearly one colour.
struct Group {
    color: Oklab<f64>,
    weight: f64,
}

/// At most `count` colours of a picture, each with its share (0 to 1), the largest first. Pixels that are more than half
/// transparent do not count; fewer colours come back if there are no more.
///
/// Pixels are grouped by the upper 5 bits of their channels, and the groups clustered by Lloyd's algorithm. It starts at
/// the largest group and then each time at the one with the largest product of weight and squared distance (k-means++,
/// Arthur and Vassilvitskii 2007, with the likeliest choice in the place of a random one).
pub(super) fn clusters(picture: &RgbaImage, count: usize) -> Result<Vec<(Color, f64)>, String> {
    let groups = groups(picture);
    let total: f64 = groups.iter().map(|group| group.weight).sum();
    let Some(largest) = groups.iter().max_by(|a, b| a.weight.total_cmp(&b.weight)) else {
        return Err("the picture has no pixels that can be seen: all of them are transparent".to_owned());
    };
    let mut centers = vec![largest.color];
    while centers.len() < count {
        let pull = |group: &Group| group.weight * nearest(&centers, group.color).1;
        match groups.iter().max_by(|a, b| pull(a).total_cmp(&pull(b))) {
            Some(next) if pull(next) > 0.0 => centers.push(next.color),
            _ => break,
        }
    }
    for _ in 0..MAX_ROUNDS {
        let moved: Vec<_> = sums(&groups, &centers)
            .into_iter()
            .zip(&centers)
            .map(|((sum, weight), old)| if weight > 0.0 { sum / weight } else { *old })
            .collect();
        let rests = moved.iter().zip(&centers).all(|(new, old)| new.distance_squared(*old) < 1e-10);
        centers = moved;
        if rests {
            break;
        }
    }
    let mut found: Vec<_> = sums(&groups, &centers)
        .into_iter()
        .zip(&centers)
        .filter(|((_, weight), _)| *weight > 0.0)
        .map(|((_, weight), center)| {
            (Color::from_oklch(Oklch::from_color_unclamped(*center)), weight / total)
        })
        .collect();
    found.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(found)
}

fn groups(picture: &RgbaImage) -> Vec<Group> {
    let mut groups: BTreeMap<[u8; 3], ([u64; 3], u64)> = BTreeMap::new();
    for pixel in picture.pixels().filter(|pixel| pixel[3] >= 128) {
        let (sum, count) = groups.entry([pixel[0] >> 3, pixel[1] >> 3, pixel[2] >> 3]).or_default();
        *count += 1;
        (0..3).for_each(|i| sum[i] += u64::from(pixel[i]));
    }
    let group = |(sum, count): &([u64; 3], u64)| {
        let mean = |i: usize| sum[i] as f64 / *count as f64 / 255.0;
        let color = Oklab::from_color_unclamped(Srgb::new(mean(0), mean(1), mean(2)));
        Group { color, weight: *count as f64 }
    };
    groups.values().map(group).collect()
}

/// Which of the centers is nearest, and the square of its distance.
fn nearest(centers: &[Oklab<f64>], color: Oklab<f64>) -> (usize, f64) {
    let distances = centers.iter().map(|center| center.distance_squared(color));
    distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0))
}

/// For each center the weighted sum of the colours that are nearest to it, and their weight.
fn sums(groups: &[Group], centers: &[Oklab<f64>]) -> Vec<(Oklab<f64>, f64)> {
    let mut sums = vec![(Oklab::new(0.0, 0.0, 0.0), 0.0); centers.len()];
    for group in groups {
        let (sum, weight) = &mut sums[nearest(centers, group.color).0];
        *sum += group.color * group.weight;
        *weight += group.weight;
    }
    sums
}
