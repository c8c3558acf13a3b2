//! Tokens to statements: the tags.

use std::rc::Rc;

use super::ast::{Expr, For, LoopTest, Macro, Name, Place, Scope, Stmt, Target};
use super::error::Result;
use super::lexer::Token;
use super::parser::Parser;

fn named(name: Rc<str>) -> Name {
    Name { name, place: Place::default() }
}

/// Tags of jinja2 that take other files, or whose meaning depends on them.
const REFUSED: [&str; 6] = ["include", "import", "from", "extends", "block", "autoescape"];

impl Parser {
    /// The whole template.
    pub fn template(&mut self) -> Result<Vec<Stmt>> {
        let (body, _) = self.body(&[])?;
        self.first_unknown().map_or(Ok(body), Err)
    }

    /// Statements up to one of `ends`, which is taken and returned; up to the template's end where there are none.
    fn body(&mut self, ends: &[&str]) -> Result<(Vec<Stmt>, Rc<str>)> {
        self.nested(|parser| parser.body_inside(ends))
    }

    fn body_inside(&mut self, ends: &[&str]) -> Result<(Vec<Stmt>, Rc<str>)> {
        let mut body = Vec::new();
        loop {
            match self.next() {
                Token::Data(text) => body.push(Stmt::Text(text)),
                Token::VariableBegin => {
                    let (expr, _) = self.tuple(true, &[], false)?;
                    self.expect(&Token::VariableEnd)?;
                    body.push(Stmt::Print(expr));
                }
                Token::BlockBegin => {
                    let Token::Name(tag) = self.peek().clone() else {
                        return self.unexpected("a tag's name");
                    };
                    if ends.contains(&&*tag) {
                        self.next();
                        return Ok((body, tag));
                    }
                    let statement = self.statement(&tag)?;
                    body.push(statement);
                    self.expect(&Token::BlockEnd)?;
                }
                _ if ends.is_empty() => return Ok((body, "".into())),
                _ => return self.fail(format!("Unexpected end of template. Expected {}", ends.join(" or "))),
            }
        }
    }

    /// The end of a tag, statements, and the tag that ends them but for its `%}`.
    fn block(&mut self, ends: &[&str]) -> Result<(Vec<Stmt>, Rc<str>)> {
        self.skip_operator(":");
        self.expect(&Token::BlockEnd)?;
        self.body(ends)
    }

    fn statement(&mut self, tag: &str) -> Result<Stmt> {
        self.next();
        match tag {
            "for" => self.for_loop(),
            "if" => self.if_else(),
            "set" => self.set(),
            "with" => self.with(),
            "macro" => {
                let name = self.expect_name()?;
                reserved(self, &name)?;
                let (parameters, defaults) = self.signature()?;
                let body = self.function_body("endmacro")?;
                Ok(Stmt::Macro(named(name.clone()), Rc::new(made(name, parameters, defaults, body))))
            }
            "call" => self.call_block(),
            "filter" => {
                let (filter, _) = self.filter_chain()?;
                let (body, _) = self.block(&["endfilter"])?;
                Ok(Stmt::Filter(filter, body, Scope::default()))
            }
            "generation" => {
                let body = self.function_body("endgeneration")?;
                Ok(Stmt::Generation(Rc::new(made("caller".into(), Vec::new(), Vec::new(), body))))
            }
            "print" => {
                let mut items = Vec::new();
                while *self.peek() != Token::BlockEnd {
                    if !items.is_empty() {
                        self.expect_operator(",")?;
                    }
                    items.push(self.expression()?.0);
                }
                // Written one behind the other, as one text.
                Ok(Stmt::Print(Expr::Concat(items)))
            }
            "break" | "continue" => {
                if self.loops == 0 {
                    return self.fail(format!("{tag} outside of a loop"));
                }
                Ok(if tag == "break" { Stmt::Break } else { Stmt::Continue })
            }
            refused if REFUSED.contains(&refused) => self.fail(format!("{{% {refused} %}} is not supported")),
            unknown => self.fail(format!("Encountered unknown tag '{unknown}'")),
        }
    }

    fn target(&mut self, with_namespace: bool, ends: &[&str]) -> Result<Target> {
        let mut targets = Vec::new();
        let mut is_tuple = false;
        loop {
            if !targets.is_empty() {
                self.expect_operator(",")?;
            }
            let ended = matches!(self.peek(), Token::BlockEnd | Token::Operator("=" | "|" | ")"));
            if is_tuple && ended || ends.iter().any(|end| self.is_name(end)) {
                break;
            }
            targets.push(self.single_target(with_namespace)?);
            if !self.is_operator(",") {
                break;
            }
            is_tuple = true;
        }
        match (is_tuple, targets.pop()) {
            (false, Some(only)) => Ok(only),
            (true, Some(last)) => {
                targets.push(last);
                Ok(Target::Tuple(targets))
            }
            (_, None) => self.unexpected("a name"),
        }
    }

    fn single_target(&mut self, with_namespace: bool) -> Result<Target> {
        if self.skip_operator("(") {
            let inner = self.nested(|parser| parser.target(false, &[]))?;
            self.expect_operator(")")?;
            return Ok(inner);
        }
        let name = self.expect_name()?;
        reserved(self, &name)?;
        if with_namespace && self.skip_operator(".") {
            let attribute = self.expect_name()?;
            return Ok(Target::Attribute(named(name), attribute));
        }
        Ok(Target::Name(named(name)))
    }

    fn for_loop(&mut self) -> Result<Stmt> {
        let begin = self.mark();
        let target = self.target(false, &["in"])?;
        if !self.skip_name("in") {
            return self.unexpected("'in'");
        }
        let (iter, _) = self.tuple(false, &["recursive"], false)?;
        let before = std::mem::replace(&mut self.conditional, false);
        let test = match self.skip_name("if") {
            true => {
                let (condition, _) = self.expression()?;
                // The condition is a function of its own, with the same variables.
                let here = self.mark();
                self.reset(begin);
                let target = self.target(false, &["in"])?;
                self.reset(here);
                Some(LoopTest { target, condition, scope: Scope::default(), slots: 0 })
            }
            false => None,
        };
        let recursive = self.skip_name("recursive");
        self.loops += 1;
        let (body, end) = self.block(&["endfor", "else"])?;
        self.loops -= 1;
        let otherwise = match &*end {
            "else" => self.block(&["endfor"])?.0,
            _ => Vec::new(),
        };
        self.conditional = before;
        Ok(Stmt::For(Rc::new(For {
            target,
            iter,
            test,
            body,
            otherwise,
            recursive,
            state: None,
            scope: Scope::default(),
            otherwise_scope: Scope::default(),
            slots: 0,
        })))
    }

    fn if_else(&mut self) -> Result<Stmt> {
        let before = self.conditional;
        let mut branches = Vec::new();
        let mut otherwise = Vec::new();
        loop {
            let (test, _) = self.tuple(false, &[], false)?;
            self.conditional = true;
            let (body, end) = self.block(&["elif", "else", "endif"])?;
            branches.push((test, body));
            match &*end {
                "elif" => continue,
                "else" => otherwise = self.block(&["endif"])?.0,
                _ => {}
            }
            break;
        }
        self.conditional = before;
        Ok(Stmt::If(branches, otherwise))
    }

    fn filter_chain(&mut self) -> Result<(Expr, u32)> {
        let mut chain = self.filter((Expr::Captured, 1))?;
        while self.skip_operator("|") {
            chain = self.filter(chain)?;
        }
        Ok(chain)
    }

    fn set(&mut self) -> Result<Stmt> {
        let target = self.target(true, &[])?;
        if self.skip_operator("=") {
            let (value, _) = self.tuple(true, &[], false)?;
            return Ok(Stmt::Set(target, value));
        }
        let filter = match self.skip_operator("|") {
            true => self.filter_chain()?.0,
            false => Expr::Captured,
        };
        let (body, _) = self.scoped_block("endset")?;
        Ok(Stmt::SetBlock(target, filter, body, Scope::default()))
    }

    /// A block with a scope of its own, in which no name is conditional any more.
    fn scoped_block(&mut self, end: &str) -> Result<(Vec<Stmt>, Rc<str>)> {
        let before = std::mem::replace(&mut self.conditional, false);
        let block = self.block(&[end]);
        self.conditional = before;
        block
    }

    fn with(&mut self) -> Result<Stmt> {
        let mut pairs = Vec::new();
        while *self.peek() != Token::BlockEnd {
            if !pairs.is_empty() {
                self.expect_operator(",")?;
            }
            let target = self.target(false, &[])?;
            self.expect_operator("=")?;
            pairs.push((target, self.expression()?.0));
        }
        let (body, _) = self.scoped_block("endwith")?;
        Ok(Stmt::With(pairs, body, Scope::default()))
    }

    fn function_body(&mut self, end: &str) -> Result<Vec<Stmt>> {
        let loops = std::mem::replace(&mut self.loops, 0);
        let body = self.scoped_block(end);
        self.loops = loops;
        Ok(body?.0)
    }

    fn signature(&mut self) -> Result<(Vec<Name>, Vec<Expr>)> {
        self.expect_operator("(")?;
        let (mut parameters, mut defaults) = (Vec::<Name>::new(), Vec::new());
        while !self.is_operator(")") {
            if !parameters.is_empty() {
                self.expect_operator(",")?;
            }
            let name = self.expect_name()?;
            reserved(self, &name)?;
            if parameters.iter().any(|known| known.name == name) {
                return self.fail(format!("duplicate argument '{name}'"));
            }
            if self.skip_operator("=") {
                defaults.push(self.expression()?.0);
            } else if !defaults.is_empty() {
                return self.fail("non-default argument follows default argument");
            }
            parameters.push(named(name));
        }
        self.expect_operator(")")?;
        Ok((parameters, defaults))
    }

    fn call_block(&mut self) -> Result<Stmt> {
        let (parameters, defaults) = match self.is_operator("(") {
            true => self.signature()?,
            false => (Vec::new(), Vec::new()),
        };
        let (call, _) = self.expression()?;
        if !matches!(call, Expr::Call(..)) {
            return self.fail("expected call");
        }
        let body = self.function_body("endcall")?;
        Ok(Stmt::Call(Rc::new(made("caller".into(), parameters, defaults, body)), call))
    }
}

fn made(name: Rc<str>, parameters: Vec<Name>, defaults: Vec<Expr>, body: Vec<Stmt>) -> Macro {
    Macro {
        name,
        parameters,
        defaults,
        body,
        scope: Scope::default(),
        slots: 0,
        caller: None,
        kwargs: None,
        varargs: None,
        explicit_caller: false,
    }
}

fn reserved(parser: &Parser, name: &str) -> Result<()> {
    match name {
        "true" | "false" | "none" | "True" | "False" | "None" => {
            parser.fail(format!("can't assign to {name}"))
        }
        _ => Ok(()),
    }
}
