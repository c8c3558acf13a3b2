//! Numbers that are none: a run whose logits, or whose keys and values, are NaN or an infinity ends in an error, and what it wrote is
//! not held.
//!
//! Executors let NaN and infinities through to whatever depends on them, and note the lowest position of which one reached a cache. The
//! note comes with what is read of a run, so that a device is not waited for a second time; runs that nobody has read from yet are
//! remembered here.

use super::{Ready, Session, SessionError};
use crate::plan::{ExecError, Executor};
use crate::tensor::first_not_finite;

const LOGITS: &str = "the logits after position";
const CACHE: &str = "the keys and values of position";

impl Session {
    /// The output of a run as logits, row by row.
    pub(super) async fn read_logits(&mut self, ready: Ready) -> Result<Vec<f32>, SessionError> {
        let bytes = self.read_output(ready).await?;
        let logits: Vec<f32> = bytemuck::pod_collect_to_vec(&bytes);
        let Some(index) = first_not_finite(&logits) else { return Ok(logits) };
        let vocabulary = (logits.len() / ready.rows).max(1);
        Err(self.give_up(LOGITS, ready.first_row + index / vocabulary))
    }

    /// That the greedy choice of a run is none, since one of the logits is no number.
    pub(super) fn no_choice(&mut self, ready: Ready) -> SessionError {
        self.give_up(LOGITS, ready.first_row)
    }

    /// The output of a run.
    pub(super) async fn read_output(&mut self, ready: Ready) -> Result<Vec<u8>, SessionError> {
        let missing =
            || ExecError::Unknown { operation: "read", what: "output", name: "of a plan without one".into() };
        let output = ready.output.ok_or_else(missing)?;
        let bytes = self.model.executor.read(ready.plan, output).await?;
        match self.model.executor.fault() {
            Some(position) => Err(self.give_up(CACHE, position)),
            None => {
                self.unread = None;
                Ok(bytes)
            }
        }
    }

    /// Ends runs that nobody reads from: an error where one of them wrote something into the caches that is no number.
    ///
    /// # Errors
    /// Keys or values that are no numbers, or the device failed.
    pub(super) async fn check_unread(&mut self) -> Result<(), SessionError> {
        if self.unread.is_none() {
            return Ok(());
        }
        match self.model.executor.find_fault().await? {
            Some(position) => Err(self.give_up(CACHE, position)),
            None => {
                self.unread = None;
                Ok(())
            }
        }
    }

    /// The same where something new begins: what was wrong with earlier runs is not its fault, only gone from the caches.
    ///
    /// # Errors
    /// The device failed.
    pub(super) async fn forget_unread(&mut self) -> Result<(), SessionError> {
        match self.check_unread().await {
            Err(SessionError::BadNumbers { .. }) => Ok(()),
            other => other,
        }
    }

    /// The caches hold nothing from there on, nor of any run that nobody has read from.
    fn give_up(&mut self, what: &'static str, at: usize) -> SessionError {
        self.held.begin(self.unread.take().map_or(at, |unread| unread.min(at)), 0);
        self.model.executor.forget_fault();
        SessionError::BadNumbers { what, at }
    }
}
