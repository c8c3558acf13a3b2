//! The KV cache of one sequence: keys and values of every layer, which tokens they are of, and what is kept beside them.
//!
//! | | |
//! | --- | --- |
//! | `contents.rs` | the token of each position, and from which position on sliding-window layers still have theirs |
//! | `layout.rs` | where the keys or values of a position lie |
//! | `prefixes.rs` | beginnings of prompts that come again |
//! | `saved.rs` | a conversation as bytes |
//!
//! A run whose logits, or whose keys and values, are NaN or an infinity ends in an error, and what it wrote is not held. Executors let
//! such numbers through to whatever depends on them, and note the lowest position of which one reached a cache. The note comes with
//! what is read of a run, so that a device is not waited for a second time; runs that nobody has read from yet are remembered here.

mod contents;
mod layout;
mod prefixes;
mod saved;

pub use saved::SavedError;

use super::{Model, SessionError};
use contents::{Contents, Ring};
use layout::CacheTensor;
use prefixes::PrefixCache;

/// What is said of keys and values that are no numbers.
const KEYS_AND_VALUES: &str = "the keys and values of position";

/// Caches of all layers, in step with each other.
pub(super) struct Cache {
    contents: Contents,
    /// Keys, then values, of each layer.
    tensors: Vec<CacheTensor>,
    prefixes: PrefixCache,
    /// First position of the runs that nobody has read from since.
    unread: Option<usize>,
}

impl Cache {
    /// The caches of a decoder whose plans are prepared; they hold nothing yet.
    pub fn new(model: &Model) -> Result<Self, SessionError> {
        let tensors = CacheTensor::all(model)?;
        let local = tensors.iter().find(|tensor| tensor.is_local);
        let ring = local
            .zip(model.config.local.as_ref())
            .map(|(tensor, local)| Ring { window: local.window, slots: tensor.slots });
        Ok(Cache { contents: Contents::new(ring), tensors, prefixes: PrefixCache::default(), unread: None })
    }

    /// Bytes of what is kept beside the caches, on the host.
    pub fn kept_bytes(&self) -> u64 {
        self.prefixes.bytes()
    }

    /// Tokens of `ids` that the caches hold already, and that need not run again.
    pub fn reusable(&self, ids: &[u32]) -> usize {
        self.contents.reusable(ids)
    }

    /// A run over `tokens` positions from `pos` on begins.
    pub fn begin(&mut self, pos: usize, tokens: usize) {
        self.contents.begin(pos, tokens);
        self.unread = Some(self.unread.map_or(pos, |unread| unread.min(pos)));
    }

    /// That run has ended.
    pub fn end(&mut self, ids: &[u32]) {
        self.contents.end(ids);
    }

    /// After the output of a run was read: that none of the runs so far wrote something that is no number.
    ///
    /// # Errors
    /// One of them did.
    pub fn check_read(&mut self, model: &mut Model) -> Result<(), SessionError> {
        let fault = model.fault();
        self.judge(model, fault)
    }

    /// The same of runs whose output nobody reads.
    ///
    /// # Errors
    /// Keys or values that are no numbers, or the device failed.
    pub async fn check_unread(&mut self, model: &mut Model) -> Result<(), SessionError> {
        if self.unread.is_none() {
            return Ok(());
        }
        let fault = model.find_fault().await?;
        self.judge(model, fault)
    }

    fn judge(&mut self, model: &mut Model, fault: Option<usize>) -> Result<(), SessionError> {
        if let Some(position) = fault {
            return Err(self.reject(model, KEYS_AND_VALUES, position));
        }
        self.unread = None;
        Ok(())
    }

    /// The same where something new begins: what was wrong with earlier runs is not its fault, only gone from the caches.
    ///
    /// # Errors
    /// The device failed.
    pub async fn forget_unread(&mut self, model: &mut Model) -> Result<(), SessionError> {
        match self.check_unread(model).await {
            Err(SessionError::BadNumbers { .. }) => Ok(()),
            other => other,
        }
    }

    /// The caches hold nothing from `at` on, nor of any run that nobody has read from. The error says that.
    pub fn reject(&mut self, model: &mut Model, what: &'static str, at: usize) -> SessionError {
        self.contents.begin(self.unread.take().map_or(at, |unread| unread.min(at)), 0);
        model.forget_fault();
        SessionError::BadNumbers { what, at }
    }
}
