//! A chat template and messages that a stranger wrote: text or an error, within the limits.
#![no_main]

use libfuzzer_sys::fuzz_target;
use rushlight_jinja::{Data, Template};

/// Behind this byte, which no UTF-8 has, is the JSON of what the template is given.
const BETWEEN: u8 = 0xff;

fuzz_target!(|bytes: &[u8]| {
    let mut parts = bytes.splitn(2, |byte| *byte == BETWEEN);
    let Ok(source) = std::str::from_utf8(parts.next().unwrap_or_default()) else { return };
    let messages = parts.next().and_then(|json| serde_json::from_slice(json).ok()).unwrap_or_else(|| {
        let fields = [("role", "user"), ("content", "Hi \u{e9}\n x")];
        let message = fields.map(|(name, text)| (name.to_owned(), Data::text(text)));
        Data::List(vec![Data::Object(message.to_vec())])
    });
    let given = [("messages", messages), ("tools", Data::Null), ("add_generation_prompt", Data::Bool(true))];
    if let Ok(template) = Template::new(source) {
        template.render(&given, &|pattern| pattern.to_owned()).ok();
    }
});
