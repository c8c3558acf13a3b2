//! System packages: the browsers and the software Vulkan driver that tests run on. What the user already
//! has is taken as it is; the rest is installed by apt as root, and named for everyone else.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::{paths, process};

/// The source of newer packages that this tool adds on Debian 12.
const BACKPORTS: &str = "bookworm-backports";
const BACKPORTS_LIST: &str = "/etc/apt/sources.list.d/rushlight-backports.list";
/// Names of Chromium's program, most specific first; `CHROMIUM` overrides.
const CHROMIUM: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
/// Names of Firefox's program; `FIREFOX` overrides.
const FIREFOX: [&str; 2] = ["firefox-esr", "firefox"];
/// Where a program is on systems whose PATH does not have it.
const CHROMIUM_APPS: [&str; 2] = [
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
];
const FIREFOX_APPS: [&str; 1] = ["/Applications/Firefox.app/Contents/MacOS/firefox"];
const ICD_FOLDERS: [&str; 3] =
    ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d", "/usr/local/share/vulkan/icd.d"];

/// Something that only the system can provide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A browser of Chromium's family.
    Chromium,
    /// The second engine.
    Firefox,
    /// llvmpipe and the Vulkan loader: a GPU in software, so that GPU tests run everywhere.
    SoftwareVulkan,
    /// The third engine, on Linux: WebKitGTK's driver, and a display for it where there is none.
    WebKit,
}

impl Need {
    /// What people call it.
    fn name(self) -> &'static str {
        match self {
            Self::Chromium => "Chromium or Chrome (or set CHROMIUM to its program)",
            Self::Firefox => "Firefox (or set FIREFOX to its program)",
            Self::SoftwareVulkan => "Mesa's llvmpipe and the Vulkan loader",
            Self::WebKit => "WebKitGTK's driver, and Xvfb where there is no display",
        }
    }

    fn debian_packages(self) -> &'static [&'static str] {
        match self {
            Self::Chromium => &["chromium"],
            Self::Firefox => &["firefox-esr"],
            Self::SoftwareVulkan => &["mesa-vulkan-drivers", "libvulkan1"],
            Self::WebKit => &["webkit2gtk-driver", "xvfb"],
        }
    }

    fn is_met(self) -> bool {
        match self {
            Self::Chromium => chromium().is_some(),
            Self::Firefox => firefox().is_some(),
            Self::SoftwareVulkan => {
                !cfg!(target_os = "linux") || (llvmpipe().is_some() && has_vulkan_loader())
            }
            Self::WebKit => !cfg!(target_os = "linux") || has_webkit(),
        }
    }
}

/// What `tests/browser/lib/webkit.mjs` looks for.
fn has_webkit() -> bool {
    let driver =
        std::env::var_os("WEBKIT_DRIVER").map_or_else(|| "/usr/bin/WebKitWebDriver".into(), PathBuf::from);
    let display = ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some());
    driver.is_file() && (display || Path::new("/usr/bin/Xvfb").is_file())
}

/// The Chromium to use: `CHROMIUM`, or the first that is installed.
pub fn chromium() -> Option<PathBuf> {
    find_browser("CHROMIUM", &CHROMIUM, &CHROMIUM_APPS)
}

/// The Firefox to use: `FIREFOX`, or the first that is installed.
pub fn firefox() -> Option<PathBuf> {
    find_browser("FIREFOX", &FIREFOX, &FIREFOX_APPS)
}

fn find_browser(variable: &str, programs: &[&str], apps: &[&str]) -> Option<PathBuf> {
    if let Some(chosen) = std::env::var_os(variable).filter(|value| !value.is_empty()) {
        return Some(chosen.into());
    }
    let app = || apps.iter().map(PathBuf::from).find(|app| app.is_file());
    programs.iter().find_map(|name| paths::find_program(name)).or_else(app)
}

/// llvmpipe's driver description: Mesa 25 calls it lvp_icd.json, older ones lvp_icd.x86_64.json.
pub fn llvmpipe() -> Option<PathBuf> {
    let mut found: Vec<PathBuf> = ICD_FOLDERS
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("lvp_icd")))
        .collect();
    found.sort();
    found.into_iter().next()
}

fn has_vulkan_loader() -> bool {
    ["ldconfig", "/sbin/ldconfig", "/usr/sbin/ldconfig"]
        .iter()
        .find_map(|program| process::ask(program, &["-p"]))
        .is_some_and(|libraries| libraries.contains("libvulkan.so.1"))
}

/// Sees to it that every need is met.
pub fn ensure(needs: &[Need]) -> Result<()> {
    let missing: Vec<Need> = needs.iter().copied().filter(|need| !need.is_met()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !can_install() {
        let names: Vec<_> = missing.iter().map(|need| need.name()).collect();
        let packages: Vec<_> = missing.iter().flat_map(|need| need.debian_packages()).copied().collect();
        bail!("missing: {}; {}", names.join(", "), how_to_install(&packages));
    }
    // The driver first and by itself: a browser must not pull in the older one.
    if missing.contains(&Need::SoftwareVulkan) {
        install_vulkan()?;
    }
    let browsers = missing.iter().filter(|need| **need != Need::SoftwareVulkan);
    let packages: Vec<_> = browsers.flat_map(|need| need.debian_packages()).copied().collect();
    if !packages.is_empty() {
        install(&packages, None)?;
    }
    match missing.into_iter().find(|need| !need.is_met()) {
        None => Ok(()),
        Some(need) => bail!("apt-get installed its packages, and yet there is no {}", need.name()),
    }
}

/// Mesa 25 of the backports is several times faster than Debian 12's own Mesa 22.
fn install_vulkan() -> Result<()> {
    let packages = Need::SoftwareVulkan.debian_packages();
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    if is_debian_bookworm(&release) {
        match add_backports().and_then(|()| install(packages, Some(BACKPORTS))) {
            Ok(()) => return Ok(()),
            Err(error) => eprintln!("  no newer Mesa ({error:#}): taking the distribution's"),
        }
    }
    install(packages, None)
}

fn is_debian_bookworm(os_release: &str) -> bool {
    let value = |key: &str| {
        let line = os_release.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_default().trim_matches('"').to_owned()
    };
    value("ID") == "debian" && value("VERSION_CODENAME") == "bookworm"
}

/// Adds the suite on the mirror that this machine already uses, unless it is there.
fn add_backports() -> Result<()> {
    let sources = apt_sources();
    if sources.contains(BACKPORTS) {
        return Ok(());
    }
    let mirror = debian_mirror(&sources).context("no Debian mirror among the apt sources")?;
    std::fs::write(BACKPORTS_LIST, format!("deb {mirror} {BACKPORTS} main\n"))
        .with_context(|| format!("cannot write {BACKPORTS_LIST}"))?;
    update()
}

fn apt_sources() -> String {
    let mut text = std::fs::read_to_string("/etc/apt/sources.list").unwrap_or_default();
    for entry in std::fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|ext| ext == "list" || ext == "sources") {
            text.push('\n');
            text.push_str(&std::fs::read_to_string(path).unwrap_or_default());
        }
    }
    text
}

/// The mirror in `deb URL bookworm main` or in `URIs: URL` above `Suites: bookworm`.
fn debian_mirror(sources: &str) -> Option<&str> {
    let mut stanza = None;
    for line in sources.lines().map(str::trim).filter(|line| !line.starts_with('#')) {
        if let Some(uris) = line.strip_prefix("URIs:") {
            stanza = uris.split_whitespace().next();
        } else if let Some(suites) = line.strip_prefix("Suites:") {
            if suites.split_whitespace().any(|suite| suite == "bookworm") {
                return stanza;
            }
        } else if line.starts_with("deb ") {
            let words: Vec<_> = line.split_whitespace().filter(|word| !word.starts_with('[')).collect();
            if words.get(2) == Some(&"bookworm") {
                return words.get(1).copied();
            }
        }
    }
    None
}

fn is_root() -> bool {
    process::ask("id", &["-u"]).as_deref() == Some("0")
}

fn can_install() -> bool {
    is_root() && paths::find_program("apt-get").is_some()
}

fn how_to_install(packages: &[&str]) -> String {
    let packages = packages.join(" ");
    if paths::find_program("apt-get").is_some() {
        format!("run: sudo apt-get install --no-install-recommends {packages}")
    } else {
        format!("install with your system's package manager what Debian calls {packages}")
    }
}

fn apt(label: &str, arguments: &[&str]) -> Result<()> {
    let mut command = process::command("apt-get");
    command
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["-y", "-o", "DPkg::Lock::Timeout=300"])
        .args(arguments);
    process::run(label, &mut command).map(drop)
}

fn update() -> Result<()> {
    apt("apt-get update", &["update"])
}

/// Installs Debian packages, from `suite` where one is named; says what to run where it may not.
pub fn install(packages: &[&str], suite: Option<&str>) -> Result<()> {
    if !can_install() {
        bail!("not root, or no apt-get here; {}", how_to_install(packages));
    }
    let mut arguments = vec!["install", "--no-install-recommends"];
    arguments.extend(suite.iter().flat_map(|suite| ["-t", suite]));
    arguments.extend(packages);
    let label = format!("apt-get install {}", packages.join(" "));
    if lists_are_there() && apt(&label, &arguments).is_ok() {
        return Ok(());
    }
    // No lists, or stale ones that name versions the mirror no longer has.
    update()?;
    apt(&label, &arguments)
}

fn lists_are_there() -> bool {
    let lists = std::fs::read_dir(Path::new("/var/lib/apt/lists"));
    lists.is_ok_and(|lists| {
        lists.flatten().any(|file| file.file_name().to_string_lossy().ends_with("Packages"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_one_of_the_suite() {
        let deb822 =
            "Types: deb\n# a note\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n";
        assert_eq!(debian_mirror(deb822), Some("http://mirror.example/debian"));
        let security = "URIs: http://other.example/security\nSuites: bookworm-security\n";
        assert_eq!(debian_mirror(security), None);
        assert_eq!(debian_mirror(&format!("{security}{deb822}")), Some("http://mirror.example/debian"));
        let line = "deb [signed-by=/some/key] http://mirror.example/debian bookworm main contrib";
        assert_eq!(debian_mirror(line), Some("http://mirror.example/debian"));
        assert_eq!(debian_mirror("deb http://mirror.example/debian trixie main"), None);
    }

    #[test]
    fn only_debian_12_takes_the_backports() {
        assert!(is_debian_bookworm("ID=debian\nVERSION_CODENAME=bookworm\n"));
        assert!(!is_debian_bookworm("ID=debian\nVERSION_CODENAME=trixie\n"));
        assert!(!is_debian_bookworm("ID=ubuntu\nVERSION_CODENAME=bookworm\n"));
    }
}
