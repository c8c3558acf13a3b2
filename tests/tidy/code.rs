//! What Rust code names, from its syntax tree: which rooms it reaches, which words it says, what it defines. Comments and texts are no
//! names, and what stands in macros, whose contents have no tree, counts as it stands.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use syn::visit::{self, Visit};

/// A name with the line that it is on.
pub struct Named {
    pub name: String,
    pub line: usize,
}

/// What a file names.
#[derive(Default)]
pub struct Code {
    /// Names right below the crate's root, by whatever path they are reached; `*` for the root as a whole, taken by another name.
    pub rooms: Vec<Named>,
    /// Every identifier and keyword, and of paths also `a::b` for what they begin with.
    pub words: Vec<Named>,
    /// Names of functions, types, constants, variants, modules and macros.
    pub defined: Vec<String>,
    /// Names of functions alone.
    pub functions: Vec<String>,
}

/// Reads the code of a file that lies so many modules below the crate's root.
pub fn read(text: &str, depth: usize) -> Result<Code, syn::Error> {
    let mut code = Code::default();
    words(text.parse()?, &mut code.words);
    let mut reader = Reader { depth, code };
    reader.visit_file(&syn::parse_file(text)?);
    Ok(reader.code)
}

impl Code {
    pub fn says(&self, word: &str) -> Option<usize> {
        self.words.iter().find(|named| named.name == word).map(|named| named.line)
    }
}

fn words(tokens: TokenStream, into: &mut Vec<Named>) {
    for token in tokens {
        match token {
            TokenTree::Ident(word) => {
                into.push(Named { name: plain(&word), line: word.span().start().line });
            }
            TokenTree::Group(group) => words(group.stream(), into),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// Without the mark of a raw identifier.
fn plain(name: &Ident) -> String {
    let name = name.to_string();
    name.strip_prefix("r#").unwrap_or(&name).to_owned()
}

struct Reader {
    /// Modules between here and the crate's root.
    depth: usize,
    code: Code,
}

impl Reader {
    /// Notes a path; `imported` where it gives what it reaches a name here.
    fn path(&mut self, segments: &[&str], line: usize, imported: bool) {
        if let [first, second, ..] = segments {
            self.code.words.push(Named { name: format!("{first}::{second}"), line });
        }
        let below = match segments.first() {
            Some(&"crate") => &segments[1..],
            Some(&("self" | "super")) => {
                let own = segments.iter().take_while(|segment| **segment == "self").count();
                let up = segments[own..].iter().take_while(|segment| **segment == "super").count();
                if up == 0 || up < self.depth {
                    return;
                }
                &segments[own + up..]
            }
            _ => return,
        };
        match below.first() {
            Some(&("self" | "*")) | None if imported => {
                self.code.rooms.push(Named { name: "*".to_owned(), line });
            }
            Some(name) => self.code.rooms.push(Named { name: (*name).to_owned(), line }),
            // `pub(crate)`
            None => {}
        }
    }

    /// Every path of a `use`.
    fn tree(&mut self, tree: &syn::UseTree, prefix: &mut Vec<String>) {
        let leaf = |reader: &mut Self, last: &str, span: Span| {
            let segments: Vec<&str> = prefix.iter().map(String::as_str).chain([last]).collect();
            reader.path(&segments, span.start().line, true);
        };
        match tree {
            syn::UseTree::Path(path) => {
                prefix.push(plain(&path.ident));
                self.tree(&path.tree, prefix);
                prefix.pop();
            }
            syn::UseTree::Name(name) => leaf(self, &plain(&name.ident), name.ident.span()),
            syn::UseTree::Rename(name) => leaf(self, &plain(&name.ident), name.ident.span()),
            syn::UseTree::Glob(glob) => leaf(self, "*", glob.star_token.span),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.tree(tree, prefix);
                }
            }
        }
    }

    /// Every path in what a macro or an attribute is given, groups like `crate::{a, b}` included.
    fn tokens(&mut self, tokens: TokenStream, prefix: &[String]) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let colons = |at: usize| {
            let colon = |at: usize| matches!(tokens.get(at), Some(TokenTree::Punct(p)) if p.as_char() == ':');
            colon(at) && colon(at + 1)
        };
        let mut at = 0;
        while at < tokens.len() {
            let mut segments = prefix.to_vec();
            let line = tokens[at].span().start().line;
            let begins = matches!(tokens[at], TokenTree::Ident(_));
            while let Some(TokenTree::Ident(segment)) = tokens.get(at) {
                segments.push(plain(segment));
                at += 1;
                if !colons(at) {
                    break;
                }
                at += 2;
            }
            let grouped = begins && at > 0 && matches!(&tokens[at - 1], TokenTree::Punct(_));
            match tokens.get(at) {
                Some(TokenTree::Group(group)) if grouped && group.delimiter() == Delimiter::Brace => {
                    self.tokens(group.stream(), &segments);
                    at += 1;
                }
                _ if begins => {
                    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
                    self.path(&segments, line, false);
                }
                Some(TokenTree::Group(group)) => {
                    self.tokens(group.stream(), &[]);
                    at += 1;
                }
                _ => at += 1,
            }
        }
    }

    fn define(&mut self, name: &Ident) {
        self.code.defined.push(plain(name));
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.tree(&item.tree, &mut Vec::new());
        visit::visit_item_use(self, item);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| plain(&segment.ident)).collect();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        let line = path.segments.first().map_or(0, |segment| segment.ident.span().start().line);
        self.path(&segments, line, false);
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.tokens(called.tokens.clone(), &[]);
        visit::visit_macro(self, called);
    }

    fn visit_meta_list(&mut self, list: &'ast syn::MetaList) {
        self.tokens(list.tokens.clone(), &[]);
        visit::visit_meta_list(self, list);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.define(&module.ident);
        self.depth += 1;
        visit::visit_item_mod(self, module);
        self.depth -= 1;
    }

    fn visit_signature(&mut self, signature: &'ast syn::Signature) {
        self.define(&signature.ident);
        self.code.functions.push(plain(&signature.ident));
        visit::visit_signature(self, signature);
    }

    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        if let Some(name) = &item.ident {
            self.define(name);
        }
        visit::visit_item_macro(self, item);
    }

    fn visit_item_struct(&mut self, item: &'ast syn::ItemStruct) {
        self.define(&item.ident);
        visit::visit_item_struct(self, item);
    }

    fn visit_item_enum(&mut self, item: &'ast syn::ItemEnum) {
        self.define(&item.ident);
        visit::visit_item_enum(self, item);
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.define(&variant.ident);
        visit::visit_variant(self, variant);
    }

    fn visit_item_trait(&mut self, item: &'ast syn::ItemTrait) {
        self.define(&item.ident);
        visit::visit_item_trait(self, item);
    }

    fn visit_item_type(&mut self, item: &'ast syn::ItemType) {
        self.define(&item.ident);
        visit::visit_item_type(self, item);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.define(&item.ident);
        visit::visit_item_const(self, item);
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.define(&item.ident);
        visit::visit_item_static(self, item);
    }
}
