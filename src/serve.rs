//! The static server behind `rushlight serve` and `cargo xtask demo`.
//!
//! What a plain file server lacks is in the headers: a page may use shared memory and exact timers only when it is
//! cross-origin isolated, which takes COOP and COEP on every answer. Range requests let a
//! cut-off download go on.

use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use tower_http::services::{ServeDir, ServeFile};

/// Headers that every answer carries.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (HeaderName::from_static("cross-origin-embedder-policy"), HeaderValue::from_static("require-corp")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    // Kept, but asked about each time: a rebuilt page is never a stale one.
    (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
];

/// What is served where.
#[derive(Clone, Debug)]
pub struct ServeOptions {
    /// Address to listen on; port 0 takes a free one.
    pub addr: SocketAddr,
    /// Folder behind `/`.
    pub root: PathBuf,
    /// Further folders or single files, by the path they appear under, which starts with a slash.
    pub mounts: Vec<(String, PathBuf)>,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// A folder or file to serve is not there.
    #[error("serve: expected a file or folder at {path}, found none")]
    Missing {
        /// The path as given.
        path: PathBuf,
    },
    /// A mount's path cannot be one.
    #[error("serve: expected a path like /models, got {prefix:?}")]
    BadPrefix {
        /// The path as given.
        prefix: String,
    },
    /// The address is taken or may not be used.
    #[error("serve: cannot listen on {addr}: {source}")]
    Listen {
        /// The address asked for.
        addr: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The listener broke while serving.
    #[error("serve: {0}")]
    Accept(std::io::Error),
}

impl ServeError {
    /// A stable name for programs to go by.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "ERR_SERVE_MISSING",
            Self::BadPrefix { .. } => "ERR_SERVE_PREFIX",
            Self::Listen { .. } => "ERR_SERVE_LISTEN",
            Self::Accept(_) => "ERR_SERVE_ACCEPT",
        }
    }
}

/// Serves until the future is dropped. `on_ready` hears the address once requests are answered there.
///
/// # Errors
/// When there is nothing to serve or the address cannot be had.
pub async fn serve(options: ServeOptions, on_ready: impl FnOnce(SocketAddr)) -> Result<(), ServeError> {
    serve_until(options, on_ready, std::future::pending()).await
}

/// Serves until `stop` resolves, then lets running answers finish.
///
/// # Errors
/// When there is nothing to serve or the address cannot be had.
pub async fn serve_until(
    options: ServeOptions,
    on_ready: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    let router = router(&options)?;
    let addr = options.addr;
    let listen = |source| ServeError::Listen { addr, source };
    let listener = tokio::net::TcpListener::bind(addr).await.map_err(listen)?;
    on_ready(listener.local_addr().map_err(listen)?);
    axum::serve(listener, router).with_graceful_shutdown(stop).await.map_err(ServeError::Accept)
}

fn router(options: &ServeOptions) -> Result<Router, ServeError> {
    let mut router = Router::new();
    for (prefix, path) in &options.mounts {
        let well_formed = prefix.len() > 1
            && prefix.starts_with('/')
            && !prefix.ends_with('/')
            && !prefix.contains(['{', '}', '*'])
            && !prefix.contains("//");
        if !well_formed {
            return Err(ServeError::BadPrefix { prefix: prefix.clone() });
        }
        router = if path.is_dir() {
            router.nest_service(prefix, ServeDir::new(path))
        } else if path.is_file() {
            router.route_service(prefix, ServeFile::new(path))
        } else {
            return Err(ServeError::Missing { path: path.clone() });
        };
    }
    if !options.root.is_dir() {
        return Err(ServeError::Missing { path: options.root.clone() });
    }
    let router = router.fallback_service(ServeDir::new(&options.root));
    Ok(router.layer(axum::middleware::map_response(with_headers)))
}

async fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    // `.mjs` is looked up under JavaScript's old name; RFC 9239 left one.
    if headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/javascript") {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/javascript"));
    }
    response
}
