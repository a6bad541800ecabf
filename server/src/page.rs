//! The files of the page, carried inside the program. Owns their names and types; must not know what they show.

/// A file of the page.
pub(crate) struct PageFile {
    name: &'static str,
    /// Its media type.
    pub(crate) media_type: &'static str,
    /// Its text.
    pub(crate) text: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const DRAWING: &str = "image/svg+xml";
const SCRIPT: &str = "text/javascript; charset=utf-8";

macro_rules! page_file {
    ($name:literal, $media_type:expr) => {
        PageFile { name: $name, media_type: $media_type, text: include_str!(concat!("../page/", $name)) }
    };
}

static FILES: [PageFile; 19] = [
    page_file!("index.html", HTML),
    page_file!("topology.html", HTML),
    page_file!("style.css", CSS),
    page_file!("icon.svg", DRAWING),
    page_file!("chart.js", SCRIPT),
    page_file!("dom.js", SCRIPT),
    page_file!("feed.js", SCRIPT),
    page_file!("format.js", SCRIPT),
    page_file!("layout.js", SCRIPT),
    page_file!("main.js", SCRIPT),
    page_file!("market.js", SCRIPT),
    page_file!("paint.js", SCRIPT),
    page_file!("scale.js", SCRIPT),
    page_file!("status.js", SCRIPT),
    page_file!("tasks.js", SCRIPT),
    page_file!("tiles.js", SCRIPT),
    page_file!("topology.js", SCRIPT),
    page_file!("topology_live.js", SCRIPT),
    page_file!("topology_page.js", SCRIPT),
];

/// The file of that name.
pub(crate) fn page_file(name: &str) -> Option<&'static PageFile> {
    FILES.iter().find(|file| file.name == name)
}
