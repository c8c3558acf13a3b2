//! Spans of the engine's work, for whoever profiles it: a subscriber of the crate `tracing` hears of them, as that of
//! `rushlight --trace` does. Where nobody listens a span is one comparison of a level. Without the feature `trace`, which the wasm
//! is built without, nothing of them is compiled: a page measures from outside (`pkg/src/measures.ts`).

#[cfg(feature = "trace")]
mod listening {
    use std::future::Future;

    pub use tracing::Span;

    /// `span!("decode", position = 7)`: a piece of work with its name and numbers. It lasts until it is dropped.
    macro_rules! span {
        ($name:literal $(, $key:ident = $value:expr)*) => {
            ::tracing::info_span!(target: "rushlight", $name $(, $key = $value)*)
        };
    }

    /// Work that waits belongs to the span while it runs; the span ends with it.
    pub trait InSpan: Future + Sized {
        /// Runs within the span.
        fn in_span(self, span: Span) -> impl Future<Output = Self::Output> {
            tracing::Instrument::instrument(self, span)
        }
    }
    impl<F: Future> InSpan for F {}

    pub(crate) use span;
}

#[cfg(not(feature = "trace"))]
mod listening {
    use std::future::Future;

    /// Nothing.
    #[derive(Clone, Debug)]
    pub struct Span;

    impl Span {
        /// Nothing happens.
        pub fn entered(self) -> Self {
            self
        }
    }

    /// Nothing: its values are not even computed.
    macro_rules! span {
        ($name:literal $(, $key:ident = $value:expr)*) => {{
            $(let _ = || { let _ = &$value; };)*
            $crate::trace::Span
        }};
    }

    /// As with the feature, so that the places are the same.
    pub trait InSpan: Future + Sized {
        /// The work itself.
        fn in_span(self, _: Span) -> Self {
            self
        }
    }
    impl<F: Future> InSpan for F {}

    pub(crate) use span;
}

pub(crate) use listening::{InSpan, Span, span};
