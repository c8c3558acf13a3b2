//! Values of expressions.

use std::rc::Rc;

use super::arguments::Given;
use super::ast::{Arguments, Comparison, Expr};
use super::error::{JinjaError, Result, type_error, value_error};
use super::render::{Activation, Renderer};
use super::value::{Dict, Value};

impl Renderer<'_> {
    pub fn eval(&self, expr: &Expr, here: &Rc<Activation>) -> Result<Value> {
        let _deeper = self.budget.deeper()?;
        self.budget.work(1)?;
        match expr {
            Expr::Const(value) => Ok(value.clone()),
            Expr::Name(name) => {
                Ok(self.variable(name.place, here).unwrap_or_else(|| undefined_name(&name.name)))
            }
            Expr::Attribute(of, name) => {
                let of = self.eval(of, here)?;
                self.attribute(&of, name)
            }
            Expr::Item(of, index) => {
                let of = self.eval(of, here)?;
                let index = self.eval(index, here)?;
                self.item(&of, &index)
            }
            Expr::And(left, right) => {
                let left = self.eval(left, here)?;
                if left.truth() { self.eval(right, here) } else { Ok(left) }
            }
            Expr::Or(left, right) => {
                let left = self.eval(left, here)?;
                if left.truth() { Ok(left) } else { self.eval(right, here) }
            }
            Expr::Not(inner) => Ok(Value::Bool(!self.eval(inner, here)?.truth())),
            Expr::Condition(test, then, otherwise) => {
                if self.eval(test, here)?.truth() {
                    return self.eval(then, here);
                }
                match otherwise {
                    Some(otherwise) => self.eval(otherwise, here),
                    None => {
                        Ok(Value::undefined("the inline if-expression evaluated to false and has no else"))
                    }
                }
            }
            Expr::Binary(operator, left, right) => {
                let left = self.eval(left, here)?;
                let right = self.eval(right, here)?;
                self.binary(*operator, &left, &right)
            }
            Expr::Captured => Ok(self.captured()),
            other => self.eval_rare(other, here),
        }
    }

    /// Apart, so that each level of the common ones takes little of the stack.
    #[inline(never)]
    fn eval_rare(&self, expr: &Expr, here: &Rc<Activation>) -> Result<Value> {
        match expr {
            Expr::Tuple(items) => Value::tuple(self.eval_all(items, here)?),
            Expr::List(items) => Value::list(self.eval_all(items, here)?),
            Expr::Dict(pairs) => self.eval_dict(pairs, here),
            Expr::Slice(of, parts) => self.eval_slice(of, parts, here),
            Expr::Call(of, arguments) => {
                let of = self.eval(of, here)?;
                let given = self.eval_arguments(arguments, here)?;
                self.call(&of, given)
            }
            Expr::Filter(of, filter, arguments) => {
                let of = self.eval(of, here)?;
                let given = self.eval_arguments(arguments, here)?;
                match filter {
                    Ok(filter) => filter(self, of, given),
                    Err(name) => value_error(format!("No filter named '{name}' found.")),
                }
            }
            Expr::Test(of, test, arguments) => {
                let of = self.eval(of, here)?;
                let given = self.eval_arguments(arguments, here)?;
                match test {
                    Ok(test) => test(self, &of, given).map(Value::Bool),
                    Err(name) => value_error(format!("No test named '{name}' found.")),
                }
            }
            Expr::Negative(inner) => {
                let inner = self.eval(inner, here)?;
                self.negative(&inner)
            }
            Expr::Positive(inner) => {
                let inner = self.eval(inner, here)?;
                self.positive(&inner)
            }
            Expr::Compare(first, rest) => self.eval_comparison(first, rest, here),
            Expr::Concat(terms) => {
                let mut text = String::new();
                for term in terms {
                    let term = self.eval(term, here)?;
                    self.write_str(&term, &mut text)?;
                }
                self.budget.grow(text.len())?;
                Ok(Value::str(text))
            }
            // The others are in `eval`.
            _ => Ok(Value::None),
        }
    }

    fn eval_all(&self, exprs: &[Expr], here: &Rc<Activation>) -> Result<Vec<Value>> {
        self.budget.grow(size_of::<Value>() * exprs.len())?;
        exprs.iter().map(|expr| self.eval(expr, here)).collect()
    }

    #[inline(never)]
    fn eval_dict(&self, pairs: &[(Expr, Expr)], here: &Rc<Activation>) -> Result<Value> {
        self.budget.grow(3 * size_of::<Value>() * pairs.len())?;
        let mut dict = Dict::default();
        for (key, value) in pairs {
            let key = self.eval(key, here)?;
            let value = self.eval(value, here)?;
            dict.insert(key, value)?;
        }
        Ok(Value::Dict(Rc::new(dict)))
    }

    #[inline(never)]
    fn eval_slice(&self, of: &Expr, parts: &[Option<Expr>; 3], here: &Rc<Activation>) -> Result<Value> {
        let of = self.eval(of, here)?;
        let mut bounds = [Value::None, Value::None, Value::None];
        for (bound, part) in bounds.iter_mut().zip(parts) {
            if let Some(part) = part {
                *bound = self.eval(part, here)?;
            }
        }
        self.slice(&of, &bounds)
    }

    #[inline(never)]
    fn eval_comparison(
        &self,
        first: &Expr,
        rest: &[(Comparison, Expr)],
        here: &Rc<Activation>,
    ) -> Result<Value> {
        let mut left = self.eval(first, here)?;
        for (operator, operand) in rest {
            let right = self.eval(operand, here)?;
            if !self.compare(*operator, &left, &right)? {
                return Ok(Value::Bool(false));
            }
            left = right;
        }
        Ok(Value::Bool(true))
    }

    #[inline(never)]
    fn eval_arguments(&self, arguments: &Arguments, here: &Rc<Activation>) -> Result<Given> {
        let mut given = Given { positional: self.eval_all(&arguments.positional, here)?, named: Vec::new() };
        for (name, value) in &arguments.named {
            given.named.push((name.clone(), self.eval(value, here)?));
        }
        if let Some(star) = &arguments.star {
            let more = self.eval(star, here)?;
            given.positional.extend(self.collect(&more)?);
        }
        if let Some(star_star) = &arguments.star_star {
            let Value::Dict(more) = self.eval(star_star, here)? else {
                return type_error("argument after ** must be a mapping");
            };
            for (key, value) in more.entries() {
                let Some(name) = key.as_str() else { return type_error("keywords must be strings") };
                if given.named.iter().any(|(known, _)| known == name) {
                    return type_error(format!("got multiple values for keyword argument '{name}'"));
                }
                given.named.push((name.clone(), value.clone()));
            }
        }
        Ok(given)
    }

    /// The call of a call block: `caller` is what the block writes.
    pub fn call_with_caller(&self, call: &Expr, caller: Value, here: &Rc<Activation>) -> Result<Value> {
        let Expr::Call(of, arguments) = call else {
            return Err(JinjaError::Type { said: "expected call".to_owned() });
        };
        let of = self.eval(of, here)?;
        let mut given = self.eval_arguments(arguments, here)?;
        given.named.push(("caller".into(), caller));
        self.call(&of, given)
    }
}

fn undefined_name(name: &Rc<str>) -> Value {
    Value::undefined(format!("'{name}' is undefined"))
}
