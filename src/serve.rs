//! The static server behind `rushlight serve` and `cargo xtask demo`.
//!
//! What a plain file server lacks is in the headers: a page may use shared memory and exact timers only when it is
//! cross-origin isolated, which takes COOP and COEP on every answer. Range requests let a
//! cut-off download go on.

use std::future::Future;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
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
    /// Further folders or single files, by the path they appear under: it starts with a slash, and may be percent-encoded.
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

/// What stays as it is in a path, beside letters and digits: RFC 3986, without the two that a shell or a template may take.
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}')
    .add(b'*');
/// The same within a segment.
const SEGMENT: &AsciiSet = &PATH.add(b'/');
/// The same for the value of a query: what would end it is written out too.
const QUERY: &AsciiSet = &PATH.add(b'&').add(b'+').add(b'=').add(b'\'');

/// A file's name as a segment of an address.
///
/// ```
/// assert_eq!(rushlight::serve::path_segment("tiny model (1).gguf"), "tiny%20model%20(1).gguf");
/// ```
pub fn path_segment(name: &str) -> String {
    utf8_percent_encode(name, SEGMENT).to_string()
}

/// A text as the value of a query.
///
/// ```
/// assert_eq!(rushlight::serve::query_value("/models/a%20b.gguf"), "/models/a%2520b.gguf");
/// ```
pub fn query_value(text: &str) -> String {
    utf8_percent_encode(text, QUERY).to_string()
}

/// A folder or file, and the segments of the path that it appears under, decoded; none for the root.
struct Mount {
    segments: Vec<Vec<u8>>,
    path: PathBuf,
    is_folder: bool,
}

/// What is served: the mounts, those with more segments first, the root last.
struct Site {
    mounts: Vec<Mount>,
}

impl Site {
    fn new(options: &ServeOptions) -> Result<Self, ServeError> {
        let mut mounts = Vec::new();
        for (prefix, path) in &options.mounts {
            let well_formed = prefix.len() > 1
                && prefix.starts_with('/')
                && !prefix.ends_with('/')
                && !prefix.contains(['{', '}', '*'])
                && !prefix.contains("//");
            if !well_formed {
                return Err(ServeError::BadPrefix { prefix: prefix.clone() });
            }
            if !path.exists() {
                return Err(ServeError::Missing { path: path.clone() });
            }
            let segments = prefix.split('/').skip(1).map(decoded).collect();
            mounts.push(Mount { segments, path: path.clone(), is_folder: path.is_dir() });
        }
        if !options.root.is_dir() {
            return Err(ServeError::Missing { path: options.root.clone() });
        }
        mounts.push(Mount { segments: Vec::new(), path: options.root.clone(), is_folder: true });
        mounts.sort_by_key(|mount| std::cmp::Reverse(mount.segments.len()));
        Ok(Site { mounts })
    }

    /// The mount that a path lies under, and where in the path what is behind its prefix begins.
    fn find(&self, path: &str) -> Option<(&Mount, usize)> {
        // Where each segment ends, and what it says.
        let mut ends = Vec::new();
        for segment in path.split('/').skip(1) {
            let start = ends.last().map_or(0, |&(end, _)| end);
            ends.push((start + 1 + segment.len(), decoded(segment)));
        }
        self.mounts.iter().find_map(|mount| {
            let count = mount.segments.len();
            let matches = ends.len() >= count
                && ends.iter().zip(&mount.segments).all(|((_, got), segment)| got == segment);
            let end = count.checked_sub(1).and_then(|last| ends.get(last)).map_or(0, |&(end, _)| end);
            // A file has nothing below it.
            (matches && (mount.is_folder || end == path.len())).then_some((mount, end))
        })
    }
}

fn decoded(segment: &str) -> Vec<u8> {
    percent_decode_str(segment).collect()
}

fn router(options: &ServeOptions) -> Result<Router, ServeError> {
    let site = Arc::new(Site::new(options)?);
    let router = Router::new().fallback(answer).with_state(site);
    Ok(router.layer(axum::middleware::map_response(with_headers)))
}

async fn answer(State(site): State<Arc<Site>>, mut request: Request) -> Response {
    let uri = request.uri().clone();
    let Some((mount, end)) = site.find(uri.path()) else { return StatusCode::NOT_FOUND.into_response() };
    let (prefix, rest) = uri.path().split_at(end);
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    // A folder's own address without a slash: what its page names relatively would lie beside the folder.
    if mount.is_folder && rest.is_empty() {
        return redirect(&format!("{prefix}/{query}"));
    }
    // A file's service looks at no path.
    let rest = if rest.is_empty() { "/" } else { rest };
    let Ok(inner) = PathAndQuery::try_from(format!("{rest}{query}")).map(Uri::from) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    if mount.is_folder {
        *request.uri_mut() = inner.clone();
    }
    let range = request.headers().get(header::RANGE);
    let is_kept = match range {
        None => true,
        Some(range) => {
            is_one_range(range)
                && match request.headers().get(header::IF_RANGE) {
                    None => true,
                    Some(validator) => is_current(validator, mount, &inner).await,
                }
        }
    };
    if !is_kept {
        request.headers_mut().remove(header::RANGE);
    }
    let mut response = send(mount, request).await;
    if response.status().is_redirection()
        && let Some(location) = response.headers().get(header::LOCATION)
        && let Ok(location) = location.to_str()
    {
        // The file service knows nothing of the prefix.
        let location = format!("{prefix}{location}");
        return redirect(&location);
    }
    if response.status() == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    response
}

fn redirect(location: &str) -> Response {
    match HeaderValue::from_str(location) {
        // Two slashes would begin the name of another host.
        Ok(_) if location.starts_with("//") => StatusCode::NOT_FOUND.into_response(),
        Ok(location) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, location)]).into_response(),
        Err(_) => StatusCode::BAD_REQUEST.into_response(),
    }
}

async fn send(mount: &Mount, request: Request) -> Response {
    let result = match mount.is_folder {
        true => ServeDir::new(&mount.path).try_call(request).await,
        false => ServeFile::new(&mount.path).try_call(request).await,
    };
    match result {
        Ok(response) => response.map(Body::new),
        Err(error) => match error.kind() {
            ErrorKind::NotFound
            | ErrorKind::NotADirectory
            | ErrorKind::PermissionDenied
            | ErrorKind::InvalidInput
            | ErrorKind::InvalidFilename => StatusCode::NOT_FOUND.into_response(),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
        },
    }
}

/// Whether a `Range` asks for one range of bytes. Any other is not obeyed but answered whole, which is always right (RFC 9110 14.2):
/// other units, several ranges, and what is none.
fn is_one_range(range: &HeaderValue) -> bool {
    let Some((unit, range)) = range.to_str().ok().and_then(|range| range.split_once('=')) else {
        return false;
    };
    let Some((first, last)) = range.trim().split_once('-') else { return false };
    let number =
        |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok());
    let ordered = match (number(first), number(last)) {
        (Some(Some(first)), Some(Some(last))) => first <= last,
        (Some(Some(_)), Some(None)) => last.is_empty(),
        (Some(None), Some(Some(_))) => first.is_empty(),
        _ => false,
    };
    unit.trim().eq_ignore_ascii_case("bytes") && ordered
}

/// Whether what an `If-Range` names is what would be sent now (RFC 9110 13.1.5): the entity tag, or the very date of the last change.
async fn is_current(validator: &HeaderValue, mount: &Mount, inner: &Uri) -> bool {
    let mut head = Request::new(Body::empty());
    *head.method_mut() = Method::HEAD;
    *head.uri_mut() = inner.clone();
    let now = send(mount, head).await;
    let is = |headers: &HeaderMap, name: HeaderName| headers.get(name).is_some_and(|got| got == validator);
    // A weak tag is equal to none.
    !validator.as_bytes().starts_with(b"W/")
        && (is(now.headers(), header::ETAG) || is(now.headers(), header::LAST_MODIFIED))
}

async fn with_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, value);
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    // `.mjs` is looked up under JavaScript's old name; RFC 9239 left one.
    let kind = if kind == "application/javascript" { "text/javascript" } else { kind };
    // Without a charset a browser takes text for Windows-1252, or whatever its place is used to.
    if kind.starts_with("text/")
        && !kind.contains("charset")
        && let Ok(kind) = HeaderValue::from_str(&format!("{kind}; charset=utf-8"))
    {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    response
}
