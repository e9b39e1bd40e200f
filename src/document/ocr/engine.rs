//! The models, and one page seen by them: where lines stand, and what each says.

use std::sync::Arc;

use rten::{Model, ModelOptions, RunOptions, ThreadPool, Value, ValueView};

use super::ctc::{Sign, decode};
use super::gray::Gray;
use super::profile::{Band, Strip};
use super::region::{self, Region};

/// Both models, ready to look at pages. On one thread each.
pub(super) struct Engine {
    detector: Model,
    recogniser: Model,
    /// What its classes mean, but for the first, which is no sign, and the last, a space.
    dictionary: Vec<String>,
    pool: Arc<ThreadPool>,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    /// Its signs with where they stand along the line, of its length 0 to 1, and how likely they are.
    pub(super) signs: Vec<Read>,
    /// From where to where its letters reach, of its height.
    pub(super) band: Band,
    /// How much of its ink is that of its signs, 0 to 1.
    pub(super) covered: f32,
    /// How much darker its ink is than its paper, or lighter, 0 to 1.
    pub(super) contrast: f32,
}

/// With less ink than this read, a line is the less sure.
const COVERED: f32 = 0.8;

impl Reading {
    /// How sure it is: its signs on average, 0 to 1, and less where others seem to be missing; 0 of none.
    #[allow(clippy::cast_precision_loss, reason = "a mean")]
    pub(super) fn likely(&self) -> f32 {
        self.weight() / (self.signs.len().max(1)) as f32 * (self.covered / COVERED).min(1.0)
    }

    /// How sure its signs are, together.
    pub(super) fn weight(&self) -> f32 {
        self.signs.iter().map(|sign| sign.likely).sum()
    }
}

/// One sign of a line.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Read {
    pub(super) text: String,
    pub(super) from: f64,
    pub(super) to: f64,
    pub(super) likely: f32,
}

/// The detector wants sides of a multiple of this many pixels,
const STRIDE: usize = 32;
/// and the recogniser lines so high, at least so wide, and at most: longer ones are made narrower.
const LINE_HEIGHT: usize = 48;
const NARROWEST: usize = 320;
const WIDEST: usize = 4_096;

impl Engine {
    /// The models, as their files hold them.
    ///
    /// # Errors
    /// A sentence that says what is wrong with them.
    pub(super) fn load(detector: Vec<u8>, recogniser: Vec<u8>) -> Result<Self, String> {
        let load = |model: Vec<u8>| {
            ModelOptions::with_all_ops().prepack_weights(true).load(model).map_err(|error| error.to_string())
        };
        let (detector, recogniser) = (load(detector)?, load(recogniser)?);
        let dictionary = recogniser.metadata().get("character").ok_or("the model has no dictionary")?;
        let dictionary = dictionary.lines().map(str::to_owned).collect();
        let pool = Arc::new(single_thread());
        Ok(Self { detector, recogniser, dictionary, pool })
    }

    fn options(&self) -> RunOptions {
        RunOptions::default().with_thread_pool(Some(Arc::clone(&self.pool)))
    }

    /// Where lines of text stand on the picture.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(super) fn find(&self, picture: &Gray) -> Result<Vec<Region>, String> {
        let (width, height) = (picture.width(), picture.height());
        let (wide, high) = (width.next_multiple_of(STRIDE), height.next_multiple_of(STRIDE));
        // What is added is white.
        let mut plane = vec![1.0; wide * high];
        for (row, line) in picture.luma().chunks_exact(width).enumerate() {
            plane[row * wide..][..width].iter_mut().zip(line).for_each(|(to, from)| *to = normal(f32::from(*from)));
        }
        let planes = [&plane[..]; 3].concat();
        let input = Value::from_shape([1, 3, high, wide], planes).map_err(|error| error.to_string())?;
        let map = self.detector.run_one(input.into(), Some(self.options())).map_err(|error| error.to_string())?;
        let (shape, map) = map.into_shape_vec::<f32, 4>().map_err(|error| format!("{error:?}"))?;
        Ok(region::find(&map, shape[3]))
    }

    /// What the line in this region of the picture says.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(super) fn read(&self, picture: &Gray, region: &Region) -> Result<Reading, String> {
        self.read_crop(&crop(picture, region), region)
    }

    /// What it says in a mirror.
    ///
    /// # Errors
    /// As [`Self::load`].
    pub(super) fn read_in_mirror(&self, picture: &Gray, region: &Region) -> Result<Reading, String> {
        let mut line = crop(picture, region);
        let width = line.len() / LINE_HEIGHT;
        line.chunks_exact_mut(width).for_each(|row| row[..line_width(region).min(width)].reverse());
        self.read_crop(&line, region)
    }

    fn read_crop(&self, line: &[f32], region: &Region) -> Result<Reading, String> {
        let width = line.len() / LINE_HEIGHT;
        let planes = [line; 3].concat();
        let input = ValueView::from_shape([1, 3, LINE_HEIGHT, width], &planes).map_err(|error| error.to_string())?;
        let scores = self.recogniser.run_one(input.into(), Some(self.options())).map_err(|error| error.to_string())?;
        let ([_, steps, classes], scores) = scores.into_shape_vec::<f32, 3>().map_err(|error| format!("{error:?}"))?;
        let full = line_width(region).min(width);
        #[allow(clippy::cast_precision_loss, reason = "steps of a line")]
        let step = width as f64 / steps as f64 / full as f64;
        let signs: Vec<Read> =
            decode(&scores, classes).into_iter().filter_map(|sign| self.meaning(&sign, step)).collect();
        let strip = Strip { pixels: line, width, filled: full };
        let covered = strip.covered(signs.iter().map(|sign| (sign.from, sign.to)));
        Ok(Reading { band: strip.band(), covered, contrast: strip.contrast(), signs })
    }

    #[allow(clippy::cast_precision_loss, reason = "steps of a line")]
    fn meaning(&self, sign: &Sign, step: f64) -> Option<Read> {
        // Class 0 is none, and the one after the last of the dictionary a space.
        let text = match self.dictionary.get(sign.class.checked_sub(1)?) {
            Some(text) => text.clone(),
            None => " ".to_owned(),
        };
        Some(Read { text, from: sign.from as f64 * step, to: sign.to as f64 * step, likely: sign.likely })
    }
}

/// One thread of its own: pages are read side by side in processes, and more threads would only take the cores of others.
/// A process that can start none computes on the one that calls, see [`stay_on_this_thread`].
fn single_thread() -> ThreadPool {
    let pool = ThreadPool::with_num_threads(1);
    pool.run(flush_subnormals);
    pool
}

/// Has this process compute on the thread that calls, as a confined reader must, which can start none.
pub(super) fn stay_on_this_thread() {
    // A second time there is nothing to be done.
    let _ = rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global();
}

/// Has this thread take numbers for zero that are too small to matter: some layers of the detector are full of them, and a
/// processor computes with them twenty times slower.
fn flush_subnormals() {
    #[cfg(target_arch = "x86_64")]
    #[allow(unsafe_code, reason = "only sets how floating-point numbers are rounded near zero: FTZ and DAZ of MXCSR")]
    unsafe {
        let mut state = 0_u32;
        std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut state, options(nostack));
        state |= 0x8040;
        std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const state, options(nostack, readonly));
    }
    #[cfg(target_arch = "aarch64")]
    #[allow(unsafe_code, reason = "only sets how floating-point numbers are rounded near zero: FZ of FPCR")]
    unsafe {
        let mut state = 0_u64;
        std::arch::asm!("mrs {}, fpcr", out(reg) state, options(nostack, nomem));
        state |= 1 << 24;
        std::arch::asm!("msr fpcr, {}", in(reg) state, options(nostack, nomem));
    }
}

/// As the models want brightness: from -1 to 1.
fn normal(luma: f32) -> f32 {
    luma / 127.5 - 1.0
}

/// How wide a line is when it is as high as the recogniser wants it.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "limited")]
fn line_width(region: &Region) -> usize {
    ((region.length / region.thickness * LINE_HEIGHT as f64).round() as usize).clamp(8, WIDEST)
}

/// The region upright, along its own axis; behind it, up to the least width, gray, as the recogniser has learnt it.
#[allow(clippy::cast_precision_loss, reason = "sides of lines")]
fn crop(picture: &Gray, region: &Region) -> Vec<f32> {
    let filled = line_width(region);
    let width = filled.max(NARROWEST).next_multiple_of(8);
    let (along, across) = (region.length / filled as f64, region.thickness / LINE_HEIGHT as f64);
    // Of what is larger than it will be, every pixel counts.
    let samples = along.max(across).round().clamp(1.0, 8.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 8")]
    let count = samples as usize;
    let mut line = vec![0.0; width * LINE_HEIGHT];
    for row in 0..LINE_HEIGHT {
        for column in 0..filled {
            let mut sum = 0.0;
            for down in 0..count {
                for right in 0..count {
                    let part = |at: usize, sub: usize| at as f64 + (sub as f64 + 0.5) / samples;
                    let (x, y) = region.place(part(column, right) * along, part(row, down) * across);
                    sum += picture.sample(x, y);
                }
            }
            #[allow(clippy::cast_possible_truncation, reason = "1 to 64")]
            let mean = sum / (samples * samples) as f32;
            line[row * width + column] = normal(mean);
        }
    }
    line
}
