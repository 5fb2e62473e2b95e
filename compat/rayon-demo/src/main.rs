//! rayon itself, unmodified, at real work: words, sorting, a picture.
//!
//! Not a line here names trefoil; the two lines `[patch.crates-io]` in Cargo.toml choose the pool.
//! Run with a folder: the results are written there, the times go to standard error.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use rayon::prelude::*;

/// The picture's width and height, in pixels.
const SIZE: (usize, usize) = (1200, 800);

/// Lines of the text.
const LINES: u64 = 200_000;

/// Values that are sorted.
const VALUES: usize = 4_000_000;

fn main() -> std::io::Result<()> {
    let folder = PathBuf::from(
        std::env::args()
            .nth(1)
            .unwrap_or_else(|| "target/out".into()),
    );
    fs::create_dir_all(&folder)?;
    let text = timed("text", text);
    let counts = timed("count words", || count_words(&text));
    fs::write(folder.join("words.txt"), counts)?;
    let lines = timed("sort lines", || sort_lines(&text));
    fs::write(folder.join("lines.txt"), lines)?;
    let vowels = timed("par_bridge", || count_vowels(&text));
    fs::write(folder.join("vowels.txt"), vowels.to_string())?;
    let values = timed("sort numbers", sort_numbers);
    fs::write(folder.join("numbers.txt"), values)?;
    timed("mandelbrot", || mandelbrot(&folder.join("mandelbrot.png")))?;
    eprintln!(
        "{} threads; results in {}",
        rayon::current_num_threads(),
        folder.display()
    );
    Ok(())
}

/// Says how long `work` took.
fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let done = work();
    eprintln!("{what:<14} {:>8.1} ms", start.elapsed().as_secs_f64() * 1e3);
    done
}

/// A number that looks random, the same each time (Marsaglia, *Xorshift RNGs*, 2003).
fn random(seed: u64) -> u64 {
    let mut x = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    x ^= x << 13;
    x ^= x >> 7;
    x ^ (x << 17)
}

/// A large text, made in parallel.
fn text() -> String {
    const SYLLABLES: [&str; 12] = [
        "ka", "ro", "mi", "ten", "sul", "va", "lor", "ne", "pi", "dar", "os", "e",
    ];
    (0..LINES)
        .into_par_iter()
        .map(|line| {
            let mut text = String::new();
            for word in 0..10 {
                let n = random(line * 10 + word);
                for syllable in 0..1 + n % 3 {
                    text += SYLLABLES[(n >> (8 * syllable + 8)) as usize % SYLLABLES.len()];
                }
                text.push(' ');
            }
            text.push('\n');
            text
        })
        .collect()
}

/// How often each word occurs, the most frequent first.
fn count_words(text: &str) -> String {
    let counts = text
        .par_lines()
        .fold(HashMap::<&str, u64>::new, |mut counts, line| {
            line.split_whitespace()
                .for_each(|word| *counts.entry(word).or_default() += 1);
            counts
        })
        .reduce(HashMap::new, |mut all, some| {
            for (word, count) in some {
                *all.entry(word).or_default() += count;
            }
            all
        });
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.par_sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    sorted
        .iter()
        .map(|(word, count)| format!("{count} {word}\n"))
        .collect()
}

/// The text's lines in order.
fn sort_lines(text: &str) -> String {
    let mut lines: Vec<&str> = text.par_lines().collect();
    lines.par_sort();
    lines.join("\n")
}

/// Vowels, counted through an iterator that is not parallel itself.
fn count_vowels(text: &str) -> usize {
    text.lines()
        .par_bridge()
        .map(|line| line.chars().filter(|c| "aeiou".contains(*c)).count())
        .sum()
}

/// Every thousandth of many sorted numbers.
fn sort_numbers() -> String {
    let mut values: Vec<u64> = (0..VALUES as u64).into_par_iter().map(random).collect();
    values.par_sort_unstable();
    let picked: Vec<String> = values
        .par_iter()
        .step_by(1000)
        .map(|value| format!("{value:x}\n"))
        .collect();
    picked.concat()
}

/// The Mandelbrot set as a grey picture.
fn mandelbrot(path: &Path) -> std::io::Result<()> {
    let (width, height) = SIZE;
    let mut pixels = vec![0_u8; width * height];
    pixels
        .par_chunks_mut(width)
        .enumerate()
        .for_each(|(row, line)| {
            for (column, pixel) in line.iter_mut().enumerate() {
                let c = (
                    column as f64 / width as f64 * 3.0 - 2.1,
                    row as f64 / height as f64 * 2.0 - 1.0,
                );
                let (mut z, mut steps) = ((0.0, 0.0), 0);
                while z.0 * z.0 + z.1 * z.1 < 4.0 && steps < 255 {
                    z = (z.0 * z.0 - z.1 * z.1 + c.0, 2.0 * z.0 * z.1 + c.1);
                    steps += 1;
                }
                *pixel = 255 - steps as u8;
            }
        });
    let mut out = BufWriter::new(File::create(path)?);
    let mut picture = png::Encoder::new(&mut out, width as u32, height as u32);
    picture.set_color(png::ColorType::Grayscale);
    picture
        .write_header()
        .and_then(|mut writer| writer.write_image_data(&pixels))
        .map_err(std::io::Error::other)?;
    out.flush()
}
