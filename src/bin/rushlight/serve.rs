//! `rushlight serve`

use std::net::SocketAddr;

use rushlight::serve::{self, ServeOptions};
use serde_json::json;

use crate::args::{Backend, ServeArgs};
use crate::error::CliError;
use crate::output::print;

pub fn run(args: &ServeArgs) -> Result<(), CliError> {
    let mut mounts = args.mount.clone();
    let mut query = Vec::new();
    if let Some(model) = &args.model {
        let name = model.file_name().and_then(|name| name.to_str());
        let name = name.ok_or_else(|| CliError::usage("--model: expected a file"))?;
        let address = format!("/models/{}", serve::path_segment(name));
        query.push(format!("model={}", serve::query_value(&address)));
        mounts.push((address, model.clone()));
    }
    match args.backend {
        Backend::Auto => {}
        Backend::Cpu => query.push("backend=cpu".to_owned()),
        Backend::Gpu => query.push("backend=gpu".to_owned()),
    }
    let options =
        ServeOptions { addr: SocketAddr::new(args.host, args.port), root: args.root.clone(), mounts };
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    let on_ready = |addr: SocketAddr| {
        let url = format!("http://{addr}/{query}");
        let line = if args.json {
            json!({ "url": url }).to_string()
        } else {
            format!("serving {} at {url} (stop with Ctrl+C)", args.root.display())
        };
        // A server is of use without a reader of its address.
        print(&format!("{line}\n")).ok();
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::failure("ERR_SERVE", error.to_string()))?;
    runtime
        .block_on(serve::serve(options, on_ready))
        .map_err(|error| CliError::failure(error.code(), error.to_string()))
}
