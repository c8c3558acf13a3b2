//! Small models loaded and driven the way that a page or a terminal does.
#![allow(dead_code)] // Each test crate uses a part.

use std::cell::Cell;

use rushlight::sampler::Settings;
use rushlight::session::{
    BackendChoice, CancelFlag, Event, Finish, GenerateOptions, Host, LoadOptions, Loader, Piece, Session,
    SessionError, Stats,
};
use rushlight::tensor::DType;

use crate::small::gguf::{Form, write};
use crate::small::specs;

/// The CPU with one thread and an F32 cache.
pub fn options() -> LoadOptions {
    LoadOptions { backend: BackendChoice::Cpu, kv: DType::F32, threads: Some(1), ..LoadOptions::default() }
}

/// The published file of a row of the table.
pub fn file(name: &str) -> Vec<u8> {
    write(specs::find(name), Form::Published)
}

/// Loads the parts of a model, each in chunks that fit no boundary of it.
pub fn load(parts: &[Vec<u8>], options: LoadOptions, host: Host) -> Result<Session, SessionError> {
    pollster::block_on(async {
        let len = |part: &Vec<u8>| Some(part.len() as u64);
        let mut loader = Loader::new(options, host, parts.first().and_then(len)).await?;
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                loader.next_part(len(part)).await?;
            }
            for chunk in part.chunks(33_333) {
                loader.push(chunk).await?;
            }
        }
        Session::new(loader.finish().await?)
    })
}

/// A small model as most tests want it.
pub fn session(name: &str) -> Session {
    load(&[file(name)], options(), Host::native()).expect("the model loads")
}

/// An answer, whole.
#[derive(Debug, PartialEq)]
pub struct Answer {
    pub pieces: Vec<Piece>,
    /// What was still held back at the end.
    pub rest: String,
    pub stats: Stats,
}

impl Answer {
    pub fn ids(&self) -> Vec<u32> {
        self.pieces.iter().map(|piece| piece.id).collect()
    }

    /// All that was shown.
    pub fn text(&self) -> String {
        self.pieces.iter().map(|piece| piece.text.as_str()).chain([self.rest.as_str()]).collect()
    }

    pub fn finish(&self) -> Finish {
        self.stats.finish
    }
}

/// Drives an answer to its end.
pub fn drive(session: &mut Session) -> Result<Answer, SessionError> {
    let mut pieces = Vec::new();
    loop {
        match pollster::block_on(session.next())? {
            Some(Event::Piece(piece)) => pieces.push(piece),
            Some(Event::Done { text, stats }) => {
                assert_eq!(pollster::block_on(session.next())?, None, "nothing comes after the end");
                return Ok(Answer { pieces, rest: text, stats });
            }
            None => panic!("the end comes once, as `Done`"),
        }
    }
}

/// Writes an answer to a prompt.
pub fn answer(session: &mut Session, prompt: &str, options: GenerateOptions) -> Answer {
    session.start(prompt, options).expect("the prompt fits");
    drive(session).expect("the run succeeds")
}

/// Random enough that small models don't repeat themselves.
pub fn sampling(seed: u64) -> Settings {
    Settings { temperature: 1.5, seed, ..Settings::default() }
}

thread_local! {
    static NOW: Cell<f64> = const { Cell::new(0.0) };
    static STEP: Cell<f64> = const { Cell::new(0.0) };
    static BREATHS: Cell<usize> = const { Cell::new(0) };
    static BREATHED_AT: Cell<f64> = const { Cell::new(0.0) };
    static LONGEST: Cell<f64> = const { Cell::new(0.0) };
    static FLAG: Cell<Option<(usize, CancelFlag)>> = const { Cell::new(None) };
}

/// A host whose clock moves by `step_ms` at each look, so that a slice is as many steps of a plan as fit: one, where a step
/// takes longer than a slice. Time, breaths and flag are the thread's own.
pub fn slow_host(step_ms: f64) -> Host {
    STEP.set(step_ms);
    NOW.set(0.0);
    BREATHS.set(0);
    FLAG.set(None);
    Host {
        clock: || {
            NOW.set(NOW.get() + STEP.get());
            LONGEST.set(LONGEST.get().max(NOW.get() - BREATHED_AT.get()));
            NOW.get()
        },
        breathe: || {
            BREATHS.set(BREATHS.get() + 1);
            BREATHED_AT.set(NOW.get());
            if let Some((at, flag)) = FLAG.take() {
                if BREATHS.get() == at {
                    flag.cancel();
                } else {
                    FLAG.set(Some((at, flag)));
                }
            }
            Box::pin(std::future::ready(()))
        },
        cancel: CancelFlag::default(),
    }
}

/// Breaths so far.
pub fn breaths() -> usize {
    BREATHS.get()
}

/// Longest time without a breath that somebody who looked at the clock has seen since the last call.
pub fn longest_without_breath() -> f64 {
    BREATHED_AT.set(NOW.get());
    LONGEST.replace(0.0)
}

/// Sets a flag in the `count`-th breath from now.
pub fn cancel_after(count: usize, flag: CancelFlag) {
    FLAG.set(Some((breaths() + count, flag)));
}
