//! Where a device's errors meet: they arrive by callbacks, after the call that caused them, and every later call reports them.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use crate::plan::ExecError;

/// Natively an executor may go to another thread; what a browser gives can't.
#[cfg(not(target_arch = "wasm32"))]
pub(super) trait NativelySend: Send {}
#[cfg(not(target_arch = "wasm32"))]
impl<T: Send> NativelySend for T {}
#[cfg(target_arch = "wasm32")]
pub(super) trait NativelySend {}
#[cfg(target_arch = "wasm32")]
impl<T> NativelySend for T {}

/// What an error scope has caught, sooner or later.
trait Scope: Future<Output = Option<wgpu::Error>> + NativelySend {}
impl<T: Future<Output = Option<wgpu::Error>> + NativelySend> Scope for T {}
type Caught = Pin<Box<dyn Scope>>;

/// How the error of a scope is told.
trait TellOf: FnOnce(wgpu::Error) -> ExecError + NativelySend {}
impl<T: FnOnce(wgpu::Error) -> ExecError + NativelySend> TellOf for T {}
type Tell = Box<dyn TellOf>;

/// The first error and the loss of a device.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    error: Option<ExecError>,
    lost: Option<String>,
}

impl Faults {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an error; the first one is the cause, later ones follow from it.
    pub(super) fn report(&self, error: ExecError) {
        self.lock().error.get_or_insert(error);
    }

    /// The device is gone.
    pub(super) fn lose(&self, reason: String) {
        self.lock().lost.get_or_insert(reason);
    }

    /// Forgets an error whose objects are dropped; a lost device stays lost.
    pub(super) fn forget(&self) {
        self.lock().error = None;
    }

    /// The error that was kept, if any.
    pub(super) fn check(&self) -> Result<(), ExecError> {
        let state = self.lock();
        if let Some(reason) = &state.lost {
            return Err(ExecError::DeviceLost(reason.clone()));
        }
        state.error.clone().map_or(Ok(()), Err)
    }
}

/// Error scopes whose outcome a browser has not told yet.
#[derive(Default)]
pub(super) struct Scopes(Vec<(Caught, Tell)>);

impl Scopes {
    /// Takes a popped scope. Natively its outcome is there at once and an error is returned; a browser tells it later, to
    /// [`Scopes::settle`].
    pub(super) fn add(
        &mut self,
        caught: impl Future<Output = Option<wgpu::Error>> + NativelySend + 'static,
        tell: impl FnOnce(wgpu::Error) -> ExecError + NativelySend + 'static,
    ) -> Result<(), ExecError> {
        let mut caught: Caught = Box::pin(caught);
        match caught.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(None) => Ok(()),
            Poll::Ready(Some(error)) => Err(tell(error)),
            Poll::Pending => {
                self.0.push((caught, Box::new(tell)));
                Ok(())
            }
        }
    }

    /// Whether none is open.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Waits for every scope; the first error among them.
    pub(super) async fn settle(self) -> Result<(), ExecError> {
        let mut first = Ok(());
        for (caught, tell) in self.0 {
            if let Some(error) = caught.await
                && first.is_ok()
            {
                first = Err(tell(error));
            }
        }
        first
    }
}
