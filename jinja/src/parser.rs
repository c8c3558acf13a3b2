//! Tokens to expressions, by the precedence that jinja2's parser has. `statements.rs` has the tags.

use std::rc::Rc;

use super::ast::{Comparison, Expr, Name, Operator, Place};
use super::error::{JinjaError, Result};
use super::lexer::Token;
use super::limits::{HEIGHT, NESTING};
use super::value::Value;

/// An expression, and how many operations lie on one another in it.
pub(super) type Tall = (Expr, u32);

pub(super) struct Parser {
    tokens: Vec<(Token, usize)>,
    pub at: usize,
    nesting: u32,
    /// In the branch of a condition: a name that no filter has fails only where it is reached.
    pub conditional: bool,
    pub loops: u32,
    /// Names that no filter or test has, where nothing makes them conditional.
    unknown: Vec<JinjaError>,
}

/// Operators that bind alike, the loosest first, down to `**`. `~` stands between them and joins any number of terms.
const BINARY: [&[(&str, Operator)]; 3] = [
    &[("+", Operator::Add), ("-", Operator::Sub)],
    &[("*", Operator::Mul), ("/", Operator::Div), ("//", Operator::FloorDiv), ("%", Operator::Mod)],
    &[("**", Operator::Pow)],
];

const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<", Comparison::Less),
    ("<=", Comparison::LessEqual),
    (">", Comparison::Greater),
    (">=", Comparison::GreaterEqual),
];

impl Parser {
    pub fn new(tokens: Vec<(Token, usize)>) -> Self {
        Parser { tokens, at: 0, nesting: 0, conditional: false, loops: 0, unknown: Vec::new() }
    }

    pub fn peek(&self) -> &Token {
        self.ahead(0)
    }

    pub fn ahead(&self, count: usize) -> &Token {
        self.tokens.get(self.at + count).map_or(&Token::End, |(token, _)| token)
    }

    pub fn next(&mut self) -> Token {
        let token = self.peek().clone();
        self.at += 1;
        token
    }

    /// Where it stands, for [`reset`](Parser::reset).
    pub fn mark(&self) -> usize {
        self.at
    }

    pub fn reset(&mut self, mark: usize) {
        self.at = mark;
    }

    pub fn fail<T>(&self, said: impl Into<String>) -> Result<T> {
        let line = self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |(_, line)| *line);
        Err(JinjaError::Syntax { line, said: said.into() })
    }

    pub fn unexpected<T>(&self, expected: &str) -> Result<T> {
        self.fail(format!("expected {expected}, got {}", described(self.peek())))
    }

    pub fn is_operator(&self, operator: &str) -> bool {
        matches!(self.peek(), Token::Operator(here) if *here == operator)
    }

    pub fn skip_operator(&mut self, operator: &str) -> bool {
        let found = self.is_operator(operator);
        self.at += usize::from(found);
        found
    }

    pub fn expect_operator(&mut self, operator: &str) -> Result<()> {
        if self.skip_operator(operator) { Ok(()) } else { self.unexpected(&format!("'{operator}'")) }
    }

    pub fn is_name(&self, name: &str) -> bool {
        matches!(self.peek(), Token::Name(here) if **here == *name)
    }

    pub fn skip_name(&mut self, name: &str) -> bool {
        let found = self.is_name(name);
        self.at += usize::from(found);
        found
    }

    pub fn expect_name(&mut self) -> Result<Rc<str>> {
        match self.peek().clone() {
            Token::Name(name) => {
                self.at += 1;
                Ok(name)
            }
            _ => self.unexpected("a name"),
        }
    }

    pub fn expect(&mut self, token: &Token) -> Result<()> {
        if self.peek() == token {
            self.at += 1;
            return Ok(());
        }
        self.unexpected(&described(token))
    }

    /// Runs `parse` one level deeper.
    pub fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if self.nesting >= NESTING {
            return Err(JinjaError::Limit {
                what: "expressions or blocks within one another",
                most: NESTING.into(),
            });
        }
        self.nesting += 1;
        let parsed = parse(self);
        self.nesting -= 1;
        parsed
    }

    /// Keeps what is to be said at the end, where a name is not known.
    pub fn note(&mut self, known: bool, said: String) {
        if !known && !self.conditional {
            let line = self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |(_, line)| *line);
            self.unknown.push(JinjaError::Syntax { line, said });
        }
    }

    /// The first name that is not known.
    pub fn first_unknown(&mut self) -> Option<JinjaError> {
        self.unknown.drain(..).next()
    }

    pub fn tall(&self, expr: Expr, below: u32) -> Result<Tall> {
        if below >= HEIGHT {
            return Err(JinjaError::Limit { what: "operations on one another", most: HEIGHT.into() });
        }
        Ok((expr, below + 1))
    }

    pub fn expression(&mut self) -> Result<Tall> {
        self.nested(Self::condition)
    }

    /// `a if b else c`
    fn condition(&mut self) -> Result<Tall> {
        let known = self.unknown.len();
        let (mut first, mut height) = self.disjunction()?;
        while self.skip_name("if") {
            let (test, test_height) = self.disjunction()?;
            let otherwise = match self.skip_name("else") {
                true => Some(self.nested(Self::condition)?),
                false => None,
            };
            // All parts of it are reached on a condition.
            self.unknown.truncate(known);
            height = height.max(test_height).max(otherwise.as_ref().map_or(0, |(_, height)| *height));
            let otherwise = otherwise.map(|(expr, _)| Box::new(expr));
            let condition = Expr::Condition(Box::new(test), Box::new(first), otherwise);
            (first, height) = self.tall(condition, height)?;
        }
        Ok((first, height))
    }

    pub fn disjunction(&mut self) -> Result<Tall> {
        let (mut left, mut height) = self.conjunction()?;
        while self.skip_name("or") {
            let (right, right_height) = self.conjunction()?;
            (left, height) =
                self.tall(Expr::Or(Box::new(left), Box::new(right)), height.max(right_height))?;
        }
        Ok((left, height))
    }

    fn conjunction(&mut self) -> Result<Tall> {
        let (mut left, mut height) = self.negation()?;
        while self.skip_name("and") {
            let (right, right_height) = self.negation()?;
            (left, height) =
                self.tall(Expr::And(Box::new(left), Box::new(right)), height.max(right_height))?;
        }
        Ok((left, height))
    }

    fn negation(&mut self) -> Result<Tall> {
        if self.skip_name("not") {
            let (inner, height) = self.nested(Self::negation)?;
            return self.tall(Expr::Not(Box::new(inner)), height);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Tall> {
        let (first, mut height) = self.binary(0)?;
        let mut rest = Vec::new();
        loop {
            let operator = match self.peek() {
                Token::Operator(here) => {
                    COMPARISONS.iter().find(|(text, _)| text == here).map(|found| found.1)
                }
                Token::Name(name) if &**name == "in" => Some(Comparison::In),
                Token::Name(name) if &**name == "not" && *self.ahead(1) == Token::Name("in".into()) => {
                    self.at += 1;
                    Some(Comparison::NotIn)
                }
                _ => None,
            };
            let Some(operator) = operator else { break };
            self.at += 1;
            let (operand, operand_height) = self.binary(0)?;
            height = height.max(operand_height);
            rest.push((operator, operand));
        }
        if rest.is_empty() {
            return Ok((first, height));
        }
        self.tall(Expr::Compare(Box::new(first), rest), height)
    }

    fn binary(&mut self, level: usize) -> Result<Tall> {
        let operand = |parser: &mut Self| match level {
            0 => parser.concatenation(),
            1 => parser.binary(2),
            _ => parser.unary(true),
        };
        let (mut left, mut height) = operand(self)?;
        loop {
            let found = match self.peek() {
                Token::Operator(here) => BINARY[level].iter().find(|(text, _)| text == here),
                _ => None,
            };
            let Some((_, operator)) = found else { return Ok((left, height)) };
            self.at += 1;
            let (right, right_height) = operand(self)?;
            let both = Expr::Binary(*operator, Box::new(left), Box::new(right));
            (left, height) = self.tall(both, height.max(right_height))?;
        }
    }

    fn concatenation(&mut self) -> Result<Tall> {
        let (first, mut height) = self.binary(1)?;
        if !self.is_operator("~") {
            return Ok((first, height));
        }
        let mut terms = vec![first];
        while self.skip_operator("~") {
            let (term, term_height) = self.binary(1)?;
            height = height.max(term_height);
            terms.push(term);
        }
        self.tall(Expr::Concat(terms), height)
    }

    fn unary(&mut self, with_filter: bool) -> Result<Tall> {
        let mut node = if self.skip_operator("-") {
            let (inner, height) = self.nested(|parser| parser.unary(false))?;
            self.tall(Expr::Negative(Box::new(inner)), height)?
        } else if self.skip_operator("+") {
            let (inner, height) = self.nested(|parser| parser.unary(false))?;
            self.tall(Expr::Positive(Box::new(inner)), height)?
        } else {
            self.primary()?
        };
        node = self.postfix(node)?;
        if with_filter {
            node = self.filters_and_tests(node)?;
        }
        Ok(node)
    }

    pub fn primary(&mut self) -> Result<Tall> {
        let constant = |value| Ok((Expr::Const(value), 1));
        match self.peek().clone() {
            Token::Name(name) => {
                self.at += 1;
                match &*name {
                    "true" | "True" => constant(Value::Bool(true)),
                    "false" | "False" => constant(Value::Bool(false)),
                    "none" | "None" => constant(Value::None),
                    _ => Ok((Expr::Name(Name { name, place: Place::default() }), 1)),
                }
            }
            Token::Str(text) => {
                self.at += 1;
                let mut joined = text.to_string();
                while let Token::Str(more) = self.peek() {
                    joined.push_str(more);
                    self.at += 1;
                }
                constant(Value::str(joined))
            }
            Token::Int(value) => {
                self.at += 1;
                constant(Value::Int(value))
            }
            Token::Float(value) => {
                self.at += 1;
                constant(Value::Float(value))
            }
            Token::Operator("(") => {
                self.at += 1;
                let inner = self.tuple(true, &[], true)?;
                self.expect_operator(")")?;
                Ok(inner)
            }
            Token::Operator("[") => {
                self.at += 1;
                let (items, height) = self.items("]")?;
                self.tall(Expr::List(items), height)
            }
            Token::Operator("{") => {
                self.at += 1;
                self.dict()
            }
            _ => self.unexpected("an expression"),
        }
    }

    fn items(&mut self, close: &str) -> Result<(Vec<Expr>, u32)> {
        let (mut items, mut height) = (Vec::new(), 0);
        while !self.is_operator(close) {
            if !items.is_empty() {
                self.expect_operator(",")?;
                if self.is_operator(close) {
                    break;
                }
            }
            let (item, item_height) = self.expression()?;
            height = height.max(item_height);
            items.push(item);
        }
        self.at += 1;
        Ok((items, height))
    }

    fn dict(&mut self) -> Result<Tall> {
        let (mut pairs, mut height) = (Vec::new(), 0);
        while !self.is_operator("}") {
            if !pairs.is_empty() {
                self.expect_operator(",")?;
                if self.is_operator("}") {
                    break;
                }
            }
            let (key, key_height) = self.expression()?;
            self.expect_operator(":")?;
            let (value, value_height) = self.expression()?;
            height = height.max(key_height).max(value_height);
            pairs.push((key, value));
        }
        self.at += 1;
        self.tall(Expr::Dict(pairs), height)
    }

    /// Expressions with commas between them are a tuple. `ends` are names that end it.
    pub fn tuple(&mut self, with_condition: bool, ends: &[&str], in_parentheses: bool) -> Result<Tall> {
        let (mut items, mut height, mut is_tuple) = (Vec::new(), 0, false);
        loop {
            if !items.is_empty() {
                self.expect_operator(",")?;
            }
            let ended = matches!(self.peek(), Token::VariableEnd | Token::BlockEnd | Token::Operator(")"))
                || ends.iter().any(|end| self.is_name(end));
            if ended {
                break;
            }
            let (item, item_height) =
                if with_condition { self.expression()? } else { self.nested(Self::disjunction)? };
            height = height.max(item_height);
            items.push(item);
            if !self.is_operator(",") {
                break;
            }
            is_tuple = true;
        }
        if !is_tuple {
            if let Some(only) = items.pop() {
                return Ok((only, height));
            }
            if !in_parentheses {
                return self.unexpected("an expression");
            }
        }
        self.tall(Expr::Tuple(items), height)
    }

    pub fn postfix(&mut self, mut node: Tall) -> Result<Tall> {
        loop {
            if self.is_operator(".") || self.is_operator("[") {
                node = self.subscript(node)?;
            } else if self.is_operator("(") {
                node = self.call(node)?;
            } else {
                return Ok(node);
            }
        }
    }

    fn filters_and_tests(&mut self, mut node: Tall) -> Result<Tall> {
        loop {
            if self.skip_operator("|") {
                node = self.filter(node)?;
            } else if self.is_name("is") {
                self.at += 1;
                node = self.test(node)?;
            } else if self.is_operator("(") {
                node = self.call(node)?;
            } else {
                return Ok(node);
            }
        }
    }
}

fn described(token: &Token) -> String {
    match token {
        Token::Data(_) => "text".to_owned(),
        Token::VariableBegin => "'{{'".to_owned(),
        Token::VariableEnd => "'}}'".to_owned(),
        Token::BlockBegin => "'{%'".to_owned(),
        Token::BlockEnd => "'%}'".to_owned(),
        Token::Name(name) => format!("'{name}'"),
        Token::Str(text) => format!("{text:?}"),
        Token::Int(value) => value.to_string(),
        Token::Float(value) => value.to_string(),
        Token::Operator(operator) => format!("'{operator}'"),
        Token::End => "the end of the template".to_owned(),
    }
}
