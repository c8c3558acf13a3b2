//! A vocabulary: token texts, what each token is for, and the ids with a role.
//!
//! The rules about which token ends a generation and which type a token really has follow what
//! llama.cpp does with the same metadata (`llama_vocab::impl::load`), since published files lean on them.

use super::error::TokenizerError;
use super::gguf::GgufVocab;
use super::pieces::PieceTable;

/// What a token is for: a set, because a published type and a rule about its text may both apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Attr(u8);

impl Attr {
    /// Ordinary text.
    pub const NORMAL: Attr = Attr(1);
    /// Stands for text the vocabulary cannot express.
    pub const UNKNOWN: Attr = Attr(2);
    /// A mark for the model, such as the end of a turn; not text.
    pub const CONTROL: Attr = Attr(4);
    /// Text that is always this one token.
    pub const USER_DEFINED: Attr = Attr(8);
    /// In the table, but never produced; has no text.
    pub const UNUSED: Attr = Attr(16);
    /// One byte, written `<0xXX>`.
    pub const BYTE: Attr = Attr(32);
    /// Whitespace before the token belongs to it when a text is cut at special tokens.
    pub const LSTRIP: Attr = Attr(64);
    /// Whitespace after the token belongs to it.
    pub const RSTRIP: Attr = Attr(128);

    /// Tokens found in the text before anything else is encoded.
    pub const SPECIAL: Attr = Attr(2 | 4 | 8);
    /// Special tokens that are not text: left out when text is wanted, matched only when asked for.
    pub const HIDDEN: Attr = Attr(2 | 4);

    /// Whether any member of `other` is in this set.
    pub fn any(self, other: Attr) -> bool {
        self.0 & other.0 != 0
    }

    fn with(self, other: Attr) -> Attr {
        Attr(self.0 | other.0)
    }

    fn without(self, other: Attr) -> Attr {
        Attr(self.0 & !other.0)
    }

    /// From `tokenizer.ggml.token_type`; 0 and unknown numbers are tokens without a use.
    fn from_gguf(token_type: i32) -> Attr {
        match token_type {
            1 => Attr::NORMAL,
            2 => Attr::UNKNOWN,
            3 => Attr::CONTROL,
            4 => Attr::USER_DEFINED,
            6 => Attr::BYTE,
            _ => Attr::UNUSED,
        }
    }
}

/// Token texts, types and roles.
#[derive(Clone, Debug)]
pub(crate) struct Vocab {
    pub pieces: PieceTable,
    attrs: Vec<Attr>,
    pub bos: Option<u32>,
    pub eos: Option<u32>,
    pub unk: Option<u32>,
    pub add_bos: bool,
    pub add_eos: bool,
    /// Ascending ids that end a generation.
    pub eog: Vec<u32>,
}

/// Texts of tokens that end a generation wherever they occur.
pub(super) const END_OF_GENERATION: &[&str] = &[
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<｜end▁of▁sentence｜>",
    "[e~[",
];

/// Fill-in-the-middle marks by role; the first role's texts are only marked as control tokens, the
/// other roles' tokens end a generation too. One token a role is taken, from metadata first.
const FILL_IN_MIDDLE: [FimRole; 6] = [
    FimRole {
        ends: false,
        texts: &[
            "<|fim_prefix|>",
            "<fim-prefix>",
            "<fim_prefix>",
            "<｜fim▁begin｜>",
            "<PRE>",
            "▁<PRE>",
            "<|code_prefix|>",
            "<|prefix|>",
        ],
    },
    FimRole {
        ends: false,
        texts: &[
            "<|fim_suffix|>",
            "<fim-suffix>",
            "<fim_suffix>",
            "<｜fim▁hole｜>",
            "<SUF>",
            "▁<SUF>",
            "<|code_suffix|>",
            "<|suffix|>",
        ],
    },
    FimRole {
        ends: false,
        texts: &[
            "<|fim_middle|>",
            "<fim-middle>",
            "<fim_middle>",
            "<｜fim▁end｜>",
            "<MID>",
            "▁<MID>",
            "<|code_middle|>",
            "<|middle|>",
        ],
    },
    FimRole { ends: true, texts: &["<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"] },
    FimRole { ends: true, texts: &["<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"] },
    FimRole { ends: true, texts: &["<|file_sep|>"] },
];

struct FimRole {
    ends: bool,
    texts: &'static [&'static str],
}

/// Always text, whatever the file says (gpt-oss shows them).
const ALWAYS_TEXT: &[&str] = &["<|channel|>", "<|message|>", "<|start|>", "<|constrain|>"];

impl Vocab {
    /// Takes over the texts of `source` and settles types and roles. `add_bos` is the kind's default.
    pub fn new(
        source: GgufVocab<'_>,
        add_bos: bool,
        default_ids: [Option<u32>; 3],
    ) -> Result<Self, TokenizerError> {
        let count = source.tokens.len();
        check_length("token_types", source.token_types.len(), count)?;
        let mut attrs: Vec<Attr> = match source.token_types.is_empty() {
            true => vec![Attr::NORMAL; count],
            false => source.token_types.iter().take(count).map(|&kind| Attr::from_gguf(kind)).collect(),
        };
        attrs.shrink_to_fit();
        let pieces = PieceTable::new(name_empty_tokens(source.tokens)?)?;
        let in_range = |id: Option<u32>| id.filter(|&id| (id as usize) < count);
        let [bos, eos, unk] = default_ids;
        let mut vocab = Vocab {
            pieces,
            attrs,
            bos: in_range(source.bos).or(in_range(bos)),
            eos: in_range(source.eos).or(in_range(eos)),
            unk: in_range(source.unk).or(in_range(unk)),
            add_bos: source.add_bos.unwrap_or(add_bos),
            add_eos: source.add_eos.unwrap_or(false),
            eog: Vec::new(),
        };
        vocab.settle_roles([source.eot, source.eom].map(in_range), source.fim.map(in_range));
        vocab.settle_strips(source.pre, source.model_name);
        Ok(vocab)
    }

    /// Number of tokens. The piece table may hold more: parts of merges that are no tokens.
    pub fn len(&self) -> usize {
        self.attrs.len()
    }

    /// What token `id` is for.
    pub fn attr(&self, id: u32) -> Option<Attr> {
        self.attrs.get(id as usize).copied()
    }

    /// The token with this text.
    pub fn find(&self, text: &[u8]) -> Option<u32> {
        self.pieces.find(text).filter(|&id| (id as usize) < self.len())
    }

    /// The token of one byte: `<0xXX>`, else the byte itself.
    pub fn byte_token(&self, byte: u8) -> Option<u32> {
        self.find(format!("<0x{byte:02X}>").as_bytes()).or_else(|| self.find(&[byte]))
    }

    /// Bytes of memory held.
    pub fn memory(&self) -> usize {
        self.pieces.memory() + self.attrs.capacity() + self.eog.capacity() * size_of::<u32>()
    }

    fn change(&mut self, id: u32, change: impl Fn(Attr) -> Attr) {
        if let Some(attr) = self.attrs.get_mut(id as usize) {
            *attr = change(*attr);
        }
    }

    fn settle_roles(&mut self, given: [Option<u32>; 2], fim: [Option<u32>; 6]) {
        for (role, given) in FILL_IN_MIDDLE.iter().zip(fim) {
            let found = given.or_else(|| {
                let id = role.texts.iter().find_map(|text| self.find(text.as_bytes()))?;
                self.change(id, |attr| attr.with(Attr::CONTROL));
                Some(id)
            });
            self.eog.extend(found.filter(|_| role.ends));
        }
        for text in END_OF_GENERATION {
            if let Some(id) = self.find(text.as_bytes()) {
                self.eog.push(id);
                self.change(id, |attr| attr.with(Attr::CONTROL));
            }
        }
        for text in ALWAYS_TEXT {
            if let Some(id) = self.find(text.as_bytes()) {
                self.change(id, |_| Attr::USER_DEFINED);
            }
        }
        self.eog.extend([self.eos].into_iter().chain(given).flatten());
        self.eog.sort_unstable();
        self.eog.dedup();
        self.eog.shrink_to_fit();

        // Where a later mark ends the message, <|end|> only separates its parts (o200k_harmony, solar).
        let ends = |text: &str| self.find(text.as_bytes()).is_some_and(|id| self.ends_generation(id));
        let call = ends("<|call|>") || ends("<|calls|>");
        if call && (ends("<|return|>") || ends("<|flush|>")) {
            self.drop_end("<|end|>", Attr::USER_DEFINED);
        }
        // In these families </s> is an ordinary tag.
        let ends = |text: &str| self.find(text.as_bytes()).is_some_and(|id| self.ends_generation(id));
        if ends("<|tool_response>") || ends("<|plamo:eos|>") {
            self.drop_end("</s>", Attr::NORMAL);
        }
    }

    fn drop_end(&mut self, text: &str, attr: Attr) {
        if let Some(id) = self.find(text.as_bytes()).filter(|&id| self.ends_generation(id)) {
            self.eog.retain(|&other| other != id);
            self.change(id, |_| attr);
        }
    }

    /// Whether `id` ends a generation.
    pub fn ends_generation(&self, id: u32) -> bool {
        self.eog.binary_search(&id).is_ok()
    }

    /// GGUF carries no strip flags; these families need them.
    fn settle_strips(&mut self, pre: Option<&str>, model_name: Option<&str>) {
        let pre = pre.unwrap_or_default();
        let name = model_name.unwrap_or_default().to_lowercase();
        if ["jina-v2-de", "jina-v2-es", "jina-v2-code", "mmbert"].iter().any(|part| pre.contains(part)) {
            if let Some(id) = self.find(b"<mask>") {
                self.change(id, |attr| attr.with(Attr::LSTRIP));
            }
        } else if name.contains("phi-3") || name.contains("phi3") {
            for attr in &mut self.attrs {
                if attr.any(Attr::SPECIAL) {
                    *attr = attr.with(Attr::RSTRIP);
                }
            }
            if let Some(id) = self.find(b"</s>") {
                self.change(id, |attr| attr.with(Attr::RSTRIP));
            }
            for text in ["<unk>", "<s>", "<|endoftext|>"] {
                if let Some(id) = self.find(text.as_bytes()) {
                    self.change(id, |attr| attr.without(Attr::RSTRIP));
                }
            }
        } else if name.contains("modern-bert")
            && let Some(id) = self.find(b"[MASK]")
        {
            self.change(id, |attr| attr.with(Attr::LSTRIP));
        }
    }
}

/// An optional per-token list is empty, or at least as long as the vocabulary.
pub(super) fn check_length(what: &'static str, got: usize, count: usize) -> Result<(), TokenizerError> {
    if got == 0 || got >= count {
        return Ok(());
    }
    Err(TokenizerError::BadVocabulary {
        what,
        expected: format!("none or one a token ({count})"),
        got: got.to_string(),
    })
}

/// Tokens without a text get one that names them, so that texts stay unique.
fn name_empty_tokens(tokens: super::FlatStrings) -> Result<super::FlatStrings, TokenizerError> {
    if tokens.iter().all(|text| !text.is_empty()) {
        return Ok(tokens);
    }
    let mut named = super::FlatStrings::default();
    for (id, text) in tokens.iter().enumerate() {
        match text.is_empty() {
            true => named.push(format!("[EMPTY_{id}]").as_bytes())?,
            false => named.push(text)?,
        }
    }
    Ok(named)
}
