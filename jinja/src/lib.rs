//! Templates as Python's jinja2 renders them, set up as transformers does for chat templates: a sandbox in which nothing can be
//! changed, blocks trimmed, `break` and `continue`, the `generation` tag, `tojson`, `raise_exception` and `strftime_now`.
//!
//! What a template gives is what jinja2 gives, byte for byte, or an error. A template is a program from outside: `limits.rs` says
//! what it may take. `lexer.rs`, `parser.rs` and `statements.rs` read it, `symbols.rs` decides which variable a name is, and
//! `render.rs` and `eval.rs` run it.

mod arguments;
mod arithmetic;
mod ast;
mod attributes;
mod call;
mod compare;
mod data;
mod error;
mod escapes;
mod eval;
mod filters;
mod format;
mod iterate;
mod json;
mod letters;
mod letters_table;
mod lexer;
mod limits;
mod names;
mod numbers;
mod parser;
mod percent;
mod predicates;
mod render;
mod statements;
mod strings;
mod suffixes;
mod symbols;
mod text;
mod value;

use std::rc::Rc;

pub use data::Data;
pub use error::JinjaError;

use ast::{Scope, Stmt};
use limits::Budget;
use parser::Parser;
use render::Renderer;
use value::Value;

/// A template that was parsed.
pub struct Template {
    body: Vec<Stmt>,
    scope: Scope,
    slots: usize,
}

impl Template {
    /// Parses a template.
    ///
    /// # Errors
    /// It is no Jinja, is larger or nested deeper than any chat template, or needs other files.
    pub fn new(source: &str) -> Result<Self, JinjaError> {
        if source.len() > limits::SOURCE {
            return Err(JinjaError::Limit { what: "bytes of a template", most: limits::SOURCE as u64 });
        }
        let tokens = lexer::tokens(source)?;
        let mut body = Parser::new(tokens).template()?;
        let (scope, slots) = symbols::resolve(&mut body)?;
        Ok(Template { body, scope, slots })
    }

    /// The text of the template with what it is given; `clock` gives the time, by a pattern of `strftime`.
    ///
    /// # Errors
    /// The template raises, does what Python refuses, or takes more than its limits.
    pub fn render(
        &self,
        given: &[(&str, Data)],
        clock: &dyn Fn(&str) -> String,
    ) -> Result<String, JinjaError> {
        let size = given.iter().map(|(_, data)| data.size()).sum();
        let mut values: Vec<(Rc<str>, Value)> = Vec::new();
        for (name, data) in given {
            values.push(((*name).into(), Value::from_data(data)?));
        }
        for (name, function) in call::FUNCTIONS {
            values.push((name.into(), Value::Function(function)));
        }
        let renderer = Renderer::new(Budget::new(size), &values, clock);
        renderer.template(&self.body, &self.scope, self.slots)
    }
}
