//! What stands behind an operand: `.name`, `[index]`, `(arguments)`, filters and tests.

use std::rc::Rc;

use super::ast::{Arguments, Expr};
use super::error::Result;
use super::filters;
use super::lexer::Token;
use super::parser::{Parser, Tall};
use super::predicates;
use super::value::Value;

impl Parser {
    pub fn subscript(&mut self, (node, height): Tall) -> Result<Tall> {
        if self.skip_operator(".") {
            return match self.next() {
                Token::Name(name) => self.tall(Expr::Attribute(Box::new(node), name), height),
                Token::Int(index) => {
                    let index = Box::new(Expr::Const(Value::Int(index)));
                    self.tall(Expr::Item(Box::new(node), index), height)
                }
                _ => self.fail("expected a name or a number behind '.'"),
            };
        }
        self.at += 1;
        let mut inside = Vec::new();
        let mut tallest = height;
        while !self.is_operator("]") {
            if !inside.is_empty() {
                self.expect_operator(",")?;
            }
            let mut parts = [None, None, None];
            let mut at = 0;
            loop {
                let ended = self.is_operator(":") || self.is_operator("]") || self.is_operator(",");
                if !ended || at == 0 && !self.is_operator(":") {
                    let (part, part_height) = self.expression()?;
                    tallest = tallest.max(part_height);
                    parts[at] = Some(part);
                }
                if at == 2 || !self.skip_operator(":") {
                    break;
                }
                at += 1;
            }
            inside.push((parts, at > 0));
        }
        self.at += 1;
        let node = Box::new(node);
        let slices = inside.iter().any(|(_, is_slice)| *is_slice);
        let expr = match inside.pop() {
            Some((parts, true)) if inside.is_empty() => Expr::Slice(node, Box::new(parts)),
            Some(([Some(index), ..], false)) if inside.is_empty() => Expr::Item(node, Box::new(index)),
            _ if slices => return self.fail("slices of several dimensions are not supported"),
            last => {
                let all = inside.into_iter().chain(last);
                let items = all.filter_map(|([item, ..], _)| item).collect();
                Expr::Item(node, Box::new(Expr::Tuple(items)))
            }
        };
        self.tall(expr, tallest + 1)
    }

    pub fn call(&mut self, (node, height): Tall) -> Result<Tall> {
        let (arguments, inner) = self.arguments()?;
        self.tall(Expr::Call(Box::new(node), Box::new(arguments)), height.max(inner))
    }

    fn arguments(&mut self) -> Result<(Arguments, u32)> {
        self.expect_operator("(")?;
        let mut arguments = Arguments::default();
        let mut height = 0;
        let mut first = true;
        while !self.is_operator(")") {
            if !first {
                self.expect_operator(",")?;
                if self.is_operator(")") {
                    break;
                }
            }
            first = false;
            let dynamic = arguments.star_star.is_some();
            let wrong = "invalid syntax for function call expression";
            if self.skip_operator("*") {
                if dynamic || arguments.star.is_some() {
                    return self.fail(wrong);
                }
                let (value, value_height) = self.expression()?;
                height = height.max(value_height);
                arguments.star = Some(Box::new(value));
            } else if self.skip_operator("**") {
                if dynamic {
                    return self.fail(wrong);
                }
                let (value, value_height) = self.expression()?;
                height = height.max(value_height);
                arguments.star_star = Some(Box::new(value));
            } else if let (Token::Name(name), Token::Operator("=")) = (self.peek().clone(), self.ahead(1)) {
                if dynamic {
                    return self.fail(wrong);
                }
                self.at += 2;
                let (value, value_height) = self.expression()?;
                height = height.max(value_height);
                if arguments.named.iter().any(|(known, _)| *known == name) {
                    return self.fail(format!("keyword argument repeated: {name}"));
                }
                arguments.named.push((name, value));
            } else {
                if dynamic || arguments.star.is_some() || !arguments.named.is_empty() {
                    return self.fail(wrong);
                }
                let (value, value_height) = self.expression()?;
                height = height.max(value_height);
                arguments.positional.push(value);
            }
        }
        self.at += 1;
        Ok((arguments, height))
    }

    fn dotted_name(&mut self) -> Result<Rc<str>> {
        let mut name = self.expect_name()?.to_string();
        while self.skip_operator(".") {
            name.push('.');
            name.push_str(&self.expect_name()?);
        }
        Ok(name.into())
    }

    /// One filter, behind its `|`.
    pub fn filter(&mut self, (node, height): Tall) -> Result<Tall> {
        let name = self.dotted_name()?;
        let (arguments, inner) = match self.is_operator("(") {
            true => self.arguments()?,
            false => (Arguments::default(), 0),
        };
        let found = filters::find(&name).ok_or_else(|| name.clone());
        self.note(found.is_ok(), format!("No filter named '{name}'"));
        self.tall(Expr::Filter(Box::new(node), found, Box::new(arguments)), height.max(inner))
    }

    pub fn test(&mut self, (node, height): Tall) -> Result<Tall> {
        let negated = self.skip_name("not");
        let name = self.dotted_name()?;
        let mut arguments = Arguments::default();
        let mut inner = 0;
        if self.is_operator("(") {
            (arguments, inner) = self.arguments()?;
        } else {
            let begins = match self.peek() {
                Token::Name(name) => !matches!(&**name, "else" | "or" | "and"),
                Token::Str(_) | Token::Int(_) | Token::Float(_) | Token::Operator("[" | "{") => true,
                _ => false,
            };
            if begins {
                if self.is_name("is") {
                    return self.fail("You cannot chain multiple tests with is");
                }
                let argument = self.primary()?;
                let (argument, argument_height) = self.postfix(argument)?;
                inner = argument_height;
                arguments.positional.push(argument);
            }
        }
        let found = predicates::find(&name).ok_or_else(|| name.clone());
        self.note(found.is_ok(), format!("No test named '{name}'"));
        let test = Expr::Test(Box::new(node), found, Box::new(arguments));
        let tall = self.tall(test, height.max(inner))?;
        if negated { self.tall(Expr::Not(Box::new(tall.0)), tall.1) } else { Ok(tall) }
    }
}
