//! What is searched for in scripts whose words cannot be told apart without a dictionary: pairs of neighbouring characters, without
//! those sequences that questions ask with and inflections are made of.

use super::scripts::{Script, is_mark};

/// Sequences that say nothing about what a text is about, longest first: as the English ones, for the languages of a script.
fn stops(script: Script) -> &'static [&'static str] {
    match script {
        Script::Han => &[
            "什么时候",
            "什麼時候",
            "为什么",
            "為什麼",
            "怎么样",
            "怎麼樣",
            "什么",
            "什麼",
            "多少",
            "怎么",
            "怎麼",
            "怎样",
            "怎樣",
            "哪里",
            "哪裡",
            "哪个",
            "哪個",
            "哪些",
            "有多",
            "是否",
            "何时",
            "如何",
            "谁",
            "誰",
            "哪",
            "吗",
            "嗎",
            "呢",
            "的",
            "是",
            "了",
            "在",
            "有",
            "几",
            "幾",
            "何",
        ],
        Script::Hiragana => &[
            "ありますか",
            "でしょうか",
            "について",
            "によって",
            "ましたか",
            "ください",
            "ですか",
            "でしたか",
            "ますか",
            "あります",
            "います",
            "ました",
            "でした",
            "として",
            "という",
            "いくら",
            "いくつ",
            "どんな",
            "です",
            "ます",
            "どこ",
            "だれ",
            "いつ",
            "なに",
            "なん",
            "どの",
            "どれ",
            "どう",
            "した",
            "して",
            "する",
            "ある",
            "いる",
            "この",
            "その",
            "これ",
            "それ",
            "こと",
            "もの",
            "から",
            "まで",
            "より",
            "では",
            "には",
            "とは",
        ],
        Script::Hangul => &["무엇", "누구", "누가", "언제", "어디", "얼마나", "얼마", "어떤", "어느", "몇"],
        Script::Thai => &[
            "เมื่อไหร่",
            "เมื่อไร",
            "เท่าไหร่",
            "เท่าไร",
            "ที่ไหน",
            "อย่างไร",
            "ทำไม",
            "อะไร",
            "ใคร",
            "ไหน",
            "กี่",
            "เป็น",
            "ของ",
            "และ",
            "ที่",
            "คือ",
            "ใน",
        ],
        Script::Katakana | Script::Lao | Script::Myanmar | Script::Khmer => &[],
    }
}

/// Particles of Japanese, which stand at either end of what is written in Hiragana between other signs.
const PARTICLES: &[&str] = &["は", "が", "を", "に", "の", "で", "と", "も", "へ", "や", "か"];
/// Particles and endings of Korean, longest first: taken off the end of a word that has more.
const ENDINGS: &[&str] = &[
    "습니까",
    "입니까",
    "습니다",
    "입니다",
    "인가요",
    "에서는",
    "에서",
    "에게",
    "으로",
    "까지",
    "부터",
    "나요",
    "은",
    "는",
    "이",
    "가",
    "을",
    "를",
    "의",
    "에",
    "로",
    "와",
    "과",
    "도",
    "만",
    "다",
];

/// A stretch to search for, with its first byte, and whether it is a character that has been given within a pair as well.
pub type Found<'a> = (usize, &'a str, bool);

/// What is searched for in a stretch of one script, `behind` being the script of what stands right before it.
pub fn pairs<'a>(text: &'a str, script: Script, behind: Option<Script>, mut take: impl FnMut(Found<'a>)) {
    let mut rest = (0, text);
    let mut first = true;
    // Sequences that say nothing part what does.
    while !rest.1.is_empty() {
        let (at, text) = rest;
        let stop = first_stop(text, stops(script));
        let (end, next) = stop.map_or((text.len(), text.len()), |(end, length)| (end, end + length));
        let part = text.get(..end).unwrap_or_default();
        let kept = match script {
            Script::Hiragana => content(part, first && behind == Some(Script::Han)),
            Script::Hangul => (0, without_endings(part, first)),
            _ => (0, part),
        };
        neighbours(at + kept.0, kept.1, script, &mut take);
        rest = (at + next, text.get(next..).unwrap_or_default());
        first = false;
    }
}

/// Where the first of some sequences stands, and its bytes.
fn first_stop(text: &str, stops: &[&str]) -> Option<(usize, usize)> {
    text.char_indices().find_map(|(at, _)| {
        let rest = text.get(at..)?;
        stops.iter().find(|stop| rest.starts_with(**stop)).map(|stop| (at, stop.len()))
    })
}

/// Hiragana without particles around it, and where it begins; nothing of what inflects the sign before it.
fn content(text: &str, inflects: bool) -> (usize, &str) {
    let mut kept = text;
    while let Some(rest) = PARTICLES.iter().find_map(|particle| kept.strip_prefix(particle)) {
        kept = rest;
    }
    let at = text.len() - kept.len();
    while let Some(rest) = PARTICLES.iter().find_map(|particle| kept.strip_suffix(particle)) {
        kept = rest;
    }
    if (inflects && at == 0) || kept.chars().nth(1).is_none() { (at, "") } else { (at, kept) }
}

/// A Korean word without its particles; nothing is left of those that follow what asks.
fn without_endings(text: &str, first: bool) -> &str {
    let mut kept = text;
    for _ in 0..2 {
        let shorter = ENDINGS.iter().find_map(|ending| kept.strip_suffix(ending));
        let enough = |rest: &&str| rest.chars().nth(1).is_some() || (!first && rest.is_empty());
        kept = shorter.filter(enough).unwrap_or(kept);
    }
    kept
}

/// Characters, each with its marks, and each with the next.
fn neighbours<'a>(at: usize, text: &'a str, script: Script, take: &mut impl FnMut(Found<'a>)) {
    let starts: Vec<usize> =
        text.char_indices().filter(|&(at, c)| at == 0 || !is_mark(c)).map(|(at, _)| at).collect();
    let end = |index: usize| starts.get(index).copied().unwrap_or(text.len());
    for (index, &start) in starts.iter().enumerate() {
        let slice = |behind: usize| text.get(start..behind).unwrap_or_default();
        // A Japanese syllable says nothing.
        if script != Script::Hiragana {
            take((at + start, slice(end(index + 1)), starts.len() > 1));
        }
        if index + 1 < starts.len() {
            take((at + start, slice(end(index + 2)), false));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scripts::paired;
    use super::*;

    fn found(text: &str, behind: Option<Script>) -> Vec<&str> {
        let mut out = Vec::new();
        let script = paired(text.chars().next().unwrap()).unwrap();
        pairs(text, script, behind, |(at, part, single)| {
            assert!(text[at..].starts_with(part));
            if !single {
                out.push(part);
            }
        });
        out
    }

    #[test]
    fn what_asks_is_left_out() {
        assert_eq!(found("灯塔是谁建成的", None), ["灯塔", "建成"]);
        assert_eq!(found("灯塔有多高", None), ["灯塔", "高"]);
        assert_eq!(found("面包店什么时候休息", None), ["面包", "包店", "休息"]);
        assert_eq!(found("が", Some(Script::Han)), [""; 0]);
        assert_eq!(found("てましたか", Some(Script::Han)), [""; 0]);
        assert_eq!(found("りんごはどこにありますか", None), ["りん", "んご"]);
        assert_eq!(found("등대는", None), ["등대"]);
        assert_eq!(found("누가", None), [""; 0]);
        assert_eq!(found("얼마입니까", None), [""; 0]);
        assert_eq!(found("높이는", None), ["높이"]);
        assert_eq!(found("ประภาคารสูงเท่าไร", None).last(), Some(&"สูง"));
        assert_eq!(found("パン", None), ["パン"]);
    }
}
