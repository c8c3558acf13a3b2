//! The static server, spoken to in plain HTTP over a socket: headers, types, ranges, and what it must not give away.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use rushlight::serve::{ServeError, ServeOptions, serve};

/// A server over a folder of its own, gone when dropped.
struct Server {
    addr: SocketAddr,
    folder: PathBuf,
    _runtime: tokio::runtime::Runtime,
}

impl Drop for Server {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// The model's stand-in: 1000 bytes, each its index modulo 251.
fn weights() -> Vec<u8> {
    (0..1000_u32).map(|i| (i % 251) as u8).collect()
}

fn start(name: &str) -> Server {
    let folder = std::env::temp_dir().join(format!("rushlight-serve-{name}-{}", std::process::id()));
    let site = folder.join("site");
    std::fs::create_dir_all(site.join("deep")).unwrap();
    std::fs::create_dir_all(folder.join("models")).unwrap();
    let files: [(&str, &[u8]); 8] = [
        ("site/index.html", b"<!doctype html>"),
        ("site/app.js", b"export {}"),
        ("site/worker.mjs", b"export {}"),
        ("site/core.wasm", b"\0asm\x01\0\0\0"),
        ("site/style.css", b"body{}"),
        ("site/deep/data.json", b"{}"),
        ("models/tiny.gguf", &weights()),
        ("secret.txt", b"secret"),
    ];
    for (path, bytes) in files {
        std::fs::write(folder.join(path), bytes).unwrap();
    }
    let options = ServeOptions {
        addr: (Ipv4Addr::LOCALHOST, 0).into(),
        root: site,
        mounts: vec![
            ("/models".into(), folder.join("models")),
            ("/one/model.gguf".into(), folder.join("models/tiny.gguf")),
        ],
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (sender, ready) = mpsc::channel();
    runtime.spawn(async move {
        serve(options, move |addr| sender.send(addr).unwrap()).await.unwrap();
    });
    Server { addr: ready.recv().unwrap(), folder, _runtime: runtime }
}

impl Server {
    fn ask(&self, method: &str, path: &str, headers: &[&str]) -> Answer {
        let mut stream = TcpStream::connect(self.addr).unwrap();
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        for header in headers {
            request.push_str(header);
            request.push_str("\r\n");
        }
        stream.write_all(format!("{request}\r\n").as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: bytes[end + 4..].to_vec() }
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[])
    }
}

#[test]
fn every_answer_isolates_the_page() {
    let server = start("headers");
    for path in ["/", "/core.wasm", "/models/tiny.gguf", "/one/model.gguf", "/not-there"] {
        let answer = server.get(path);
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"), "{path}");
        assert_eq!(answer.header("cross-origin-embedder-policy"), Some("require-corp"), "{path}");
        assert_eq!(answer.header("cross-origin-resource-policy"), Some("same-origin"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-cache"), "{path}");
    }
}

#[test]
fn types_are_the_ones_browsers_insist_on() {
    let server = start("types");
    let expected = [
        ("/", "text/html"),
        ("/app.js", "text/javascript"),
        ("/worker.mjs", "text/javascript"),
        ("/core.wasm", "application/wasm"),
        ("/style.css", "text/css"),
        ("/", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/worker.mjs", "text/javascript; charset=utf-8"),
        ("/style.css", "text/css; charset=utf-8"),
        ("/deep/data.json", "application/json"),
        ("/models/tiny.gguf", "application/octet-stream"),
        ("/one/model.gguf", "application/octet-stream"),
    ];
    for (path, kind) in expected {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}");
        assert!(
            answer.header("content-type").is_some_and(|got| got.starts_with(kind)),
            "{path}: {}",
            answer.head
        );
    }
}

#[test]
fn ranges_let_a_download_go_on() {
    let server = start("ranges");
    let weights = weights();
    for path in ["/models/tiny.gguf", "/one/model.gguf"] {
        let whole = server.get(path);
        assert_eq!((whole.status, whole.body.as_slice()), (200, weights.as_slice()));
        assert_eq!(whole.header("accept-ranges"), Some("bytes"));
        let ranges = [
            ("bytes=0-0", 0..1, "bytes 0-0/1000"),
            ("bytes=100-199", 100..200, "bytes 100-199/1000"),
            ("bytes=990-", 990..1000, "bytes 990-999/1000"),
            ("bytes=-5", 995..1000, "bytes 995-999/1000"),
        ];
        for (range, bytes, content_range) in ranges {
            let answer = server.ask("GET", path, &[&format!("Range: {range}")]);
            assert_eq!(answer.status, 206, "{range}");
            assert_eq!(answer.body, weights[bytes], "{range}");
            assert_eq!(answer.header("content-range"), Some(content_range));
        }
        for range in ["bytes=1000-", "bytes=5000-6000"] {
            let answer = server.ask("GET", path, &[&format!("Range: {range}")]);
            assert_eq!(answer.status, 416, "{range}");
            assert_eq!(answer.header("content-range"), Some("bytes */1000"), "{range}");
        }
    }
}

#[test]
fn ranges_that_are_not_obeyed_get_everything() {
    let server = start("whole");
    let weights = weights();
    for path in ["/models/tiny.gguf", "/one/model.gguf"] {
        let ranges = [
            "lines=1-2",
            "bytes=0-1,5-6",
            "bytes=5-2",
            "bytes=",
            "bytes",
            "bytes=a-b",
            "bytes=-",
            "bytes=1-2x",
            "=0-1",
        ];
        for range in ranges {
            let answer = server.ask("GET", path, &[&format!("Range: {range}")]);
            assert_eq!((answer.status, answer.body.as_slice()), (200, weights.as_slice()), "{range}");
            assert_eq!(answer.header("content-range"), None, "{range}");
        }
        let whole = server.get(path);
        let (tag, date) = (whole.header("etag").unwrap(), whole.header("last-modified").unwrap());
        let part =
            |if_range: &str| server.ask("GET", path, &["Range: bytes=1-2", &format!("If-Range: {if_range}")]);
        for current in [tag, date] {
            let answer = part(current);
            assert_eq!((answer.status, answer.body.as_slice()), (206, &weights[1..3]), "{current}");
        }
        let weak = format!("W/{tag}");
        for stale in [
            "\"another\"",
            weak.as_str(),
            "Thu, 01 Jan 1970 00:00:00 GMT",
            "Fri, 01 Jan 2100 00:00:00 GMT",
            "x",
        ] {
            let answer = part(stale);
            assert_eq!((answer.status, answer.body.as_slice()), (200, weights.as_slice()), "{stale}");
        }
    }
}

#[test]
fn folders_under_a_mount_redirect_within_it() {
    let server = start("folders");
    std::fs::create_dir_all(server.folder.join("models/in ner")).unwrap();
    std::fs::write(server.folder.join("models/in ner/index.html"), "inner").unwrap();
    for (from, to) in [
        ("/models/in%20ner", "/models/in%20ner/"),
        ("/models/in%20ner?a=b", "/models/in%20ner/?a=b"),
        ("/deep", "/deep/"),
        ("/models", "/models/"),
    ] {
        let answer = server.get(from);
        assert_eq!((answer.status, answer.header("location")), (307, Some(to)), "{from}");
    }
    let inner = server.get("/models/in%20ner/");
    assert_eq!((inner.status, inner.body.as_slice()), (200, b"inner".as_slice()));
    assert_eq!(server.get("/one/model.gguf/").status, 404, "a file has nothing below it");
}

#[test]
fn names_that_an_address_has_to_spell_out() {
    let folder = std::env::temp_dir().join(format!("rushlight-serve-names-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let names = [
        "tiny model (1).gguf",
        "модель.gguf",
        "100%.gguf",
        "a%20b.gguf",
        "a#b?c.gguf",
        "a+b&c=d.gguf",
        "{a}*.gguf",
        "[x]'\".gguf",
    ];
    let mut mounts = vec![("/my docs".to_owned(), folder.clone())];
    for (index, name) in names.iter().enumerate() {
        std::fs::write(folder.join(name), index.to_string()).unwrap();
        mounts.push((format!("/models/{}", rushlight::serve::path_segment(name)), folder.join(name)));
    }
    let options = ServeOptions { addr: (Ipv4Addr::LOCALHOST, 0).into(), root: folder.clone(), mounts };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (sender, ready) = mpsc::channel();
    runtime.spawn(async move {
        serve(options, move |addr| sender.send(addr).unwrap()).await.unwrap();
    });
    let server = Server { addr: ready.recv().unwrap(), folder, _runtime: runtime };
    for (index, name) in names.iter().enumerate() {
        let segment = rushlight::serve::path_segment(name);
        assert!(segment.is_ascii() && !segment.contains([' ', '#', '?', '"', '{', '[']), "{segment}");
        // Every byte spelled out is the same address.
        let spelled: String = name.bytes().map(|byte| format!("%{byte:02x}")).collect();
        for path in [
            format!("/models/{segment}"),
            format!("/{segment}"),
            format!("/my%20docs/{spelled}"),
            format!("/models/{spelled}"),
        ] {
            let answer = server.get(&path);
            assert_eq!((answer.status, answer.body), (200, index.to_string().into_bytes()), "{path}");
        }
    }
}

#[test]
fn head_tells_the_size_and_sends_nothing() {
    let server = start("head");
    let answer = server.ask("HEAD", "/models/tiny.gguf", &[]);
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(answer.header("content-length"), Some("1000"));
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let server = start("cache");
    let answer = server.get("/core.wasm");
    let changed = answer.header("last-modified").expect("a time of change");
    let again = server.ask("GET", "/core.wasm", &[&format!("If-Modified-Since: {changed}")]);
    assert_eq!((again.status, again.body.len()), (304, 0));
}

#[test]
fn nothing_outside_the_folders_is_given_away() {
    let server = start("outside");
    let attempts = [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/deep/../../secret.txt",
        "/models/../secret.txt",
        "/models/%2e%2e/secret.txt",
        "/models/..%2f..%2fsecret.txt",
        "/..\\secret.txt",
        "/%2e%2e%5csecret.txt",
        "//secret.txt",
        "/models//../secret.txt",
        "/app.js%00/../../secret.txt",
    ];
    for path in attempts {
        let answer = server.get(path);
        assert!(answer.status >= 300, "{path}: {}", answer.head);
        assert!(!answer.body.windows(6).any(|window| window == b"secret"), "{path}");
    }
    let absolute = server.folder.join("secret.txt");
    assert_eq!(server.get(&format!("/{}", absolute.display())).status, 404);
    // The folder itself is not listed.
    assert_eq!(server.get("/models/").status, 404);
}

#[test]
fn only_reading_is_allowed() {
    let server = start("methods");
    for method in ["POST", "PUT", "DELETE"] {
        assert_eq!(server.ask(method, "/app.js", &[]).status, 405, "{method}");
    }
}

/// The error of a server that cannot start.
fn refused(options: ServeOptions) -> ServeError {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(serve(options, |_| panic!("it must not start"))).expect_err("it must not start")
}

#[test]
fn what_cannot_be_served_is_named() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let server = start("errors");
    let options = |addr, root: PathBuf, mounts| ServeOptions { addr, root, mounts };
    let free = || SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let taken = refused(options(server.addr, here.into(), vec![]));
    assert_eq!(taken.code(), "ERR_SERVE_LISTEN");
    assert!(taken.to_string().contains(&server.addr.to_string()), "{taken}");
    let missing = refused(options(free(), here.join("no-such-folder"), vec![]));
    assert_eq!(missing.code(), "ERR_SERVE_MISSING");
    assert!(missing.to_string().contains("no-such-folder"), "{missing}");
    for prefix in ["", "/", "models", "/models/", "/{a}", "/a//b", "/*rest"] {
        let error = refused(options(free(), here.into(), vec![(prefix.into(), here.into())]));
        assert_eq!(error.code(), "ERR_SERVE_PREFIX", "{prefix}");
    }
}
