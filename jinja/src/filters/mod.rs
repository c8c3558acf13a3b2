//! The filters of jinja2.

mod items;
mod numbers;
mod pick;
mod words;

pub(super) mod markup;

use super::arguments::Given;
use super::error::{JinjaError, Result, unsupported};
use super::json;
use super::render::Renderer;
use super::value::Value;

pub(super) type Filter = fn(&Renderer<'_>, Value, Given) -> Result<Value>;

/// By name.
const FILTERS: [(&str, Filter); 54] = [
    ("abs", numbers::abs),
    ("attr", pick::attr),
    ("batch", items::batch),
    ("capitalize", |r, value, given| words::changed(r, value, given, "capitalize")),
    ("center", words::center),
    ("count", items::length),
    ("d", pick::default),
    ("default", pick::default),
    ("dictsort", items::dictsort),
    ("e", markup::escape),
    ("escape", markup::escape),
    ("filesizeformat", numbers::filesizeformat),
    ("first", items::first),
    ("float", numbers::float),
    ("forceescape", markup::force_escape),
    ("format", words::format),
    ("groupby", items::groupby),
    ("indent", words::indent),
    ("int", numbers::int),
    ("items", items::items),
    ("join", words::join),
    ("last", items::last),
    ("length", items::length),
    ("list", items::list),
    ("lower", |r, value, given| words::changed(r, value, given, "lower")),
    ("map", pick::map),
    ("max", |r, value, given| items::extreme(r, value, given, false)),
    ("min", |r, value, given| items::extreme(r, value, given, true)),
    ("pprint", |_, _, _| unsupported("the filter 'pprint'")),
    ("random", |_, _, _| unsupported("the filter 'random'")),
    ("reject", |r, value, given| pick::select(r, value, given, false, false)),
    ("rejectattr", |r, value, given| pick::select(r, value, given, false, true)),
    ("replace", words::replace),
    ("reverse", items::reverse),
    ("round", numbers::round),
    ("safe", markup::safe),
    ("select", |r, value, given| pick::select(r, value, given, true, false)),
    ("selectattr", |r, value, given| pick::select(r, value, given, true, true)),
    ("slice", items::slices),
    ("sort", items::sort),
    ("string", words::string),
    ("striptags", |_, _, _| unsupported("the filter 'striptags'")),
    ("sum", items::sum),
    ("title", words::title),
    ("tojson", json::to_json),
    ("trim", words::trim),
    ("truncate", words::truncate),
    ("unique", items::unique),
    ("upper", |r, value, given| words::changed(r, value, given, "upper")),
    ("urlencode", markup::urlencode),
    ("urlize", |_, _, _| unsupported("the filter 'urlize'")),
    ("wordcount", words::wordcount),
    ("wordwrap", |_, _, _| unsupported("the filter 'wordwrap'")),
    ("xmlattr", markup::xmlattr),
];

pub(super) fn find(name: &str) -> Option<Filter> {
    FILTERS.iter().find(|(known, _)| *known == name).map(|(_, filter)| *filter)
}

/// The filter that a template names while it runs.
fn named(name: &Value) -> Result<Filter> {
    let found = name.as_str().and_then(|name| find(name));
    found.ok_or_else(|| JinjaError::Value { said: "No such filter.".to_owned() })
}
