//! Runs the statements of a template.

use std::cell::RefCell;
use std::rc::Rc;

use super::ast::{Expr, For, Load, Place, Scope, Stmt, Target};
use super::error::{Result, type_error, value_error};
use super::iterate::{Iter, Loop};
use super::limits::Budget;
use super::value::{MacroValue, Namespace, Value};

/// The variables of a function that runs, and the function around it.
pub(super) struct Activation {
    slots: RefCell<Vec<Option<Value>>>,
    around: Option<Rc<Activation>>,
}

pub(super) struct Renderer<'t> {
    pub budget: Budget,
    /// What the template is given, and the functions that all templates have.
    pub given: &'t [(Rc<str>, Value)],
    /// The time, by a pattern of `strftime`.
    pub clock: &'t dyn Fn(&str) -> String,
    /// What a filter block, or a block that is assigned, has written.
    captured: RefCell<Vec<Value>>,
    /// All that were made: they may hold one another in circles, and are emptied at the end.
    activations: RefCell<Vec<Rc<Activation>>>,
    namespaces: RefCell<Vec<Rc<Namespace>>>,
}

/// How statements ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Through,
    Break,
    Continue,
}

impl Drop for Renderer<'_> {
    fn drop(&mut self) {
        for activation in self.activations.borrow_mut().drain(..) {
            let slots = std::mem::take(&mut *activation.slots.borrow_mut());
            drop(slots);
        }
        for namespace in self.namespaces.borrow_mut().drain(..) {
            let values = std::mem::take(&mut *namespace.values.borrow_mut());
            drop(values);
        }
    }
}

impl<'t> Renderer<'t> {
    pub fn new(budget: Budget, given: &'t [(Rc<str>, Value)], clock: &'t dyn Fn(&str) -> String) -> Self {
        Renderer {
            budget,
            given,
            clock,
            captured: RefCell::default(),
            activations: RefCell::default(),
            namespaces: RefCell::default(),
        }
    }

    /// The text of a template.
    pub fn template(&self, body: &[Stmt], scope: &Scope, slots: usize) -> Result<String> {
        let activation = self.activate(slots, None)?;
        self.enter(scope, &activation);
        let mut out = String::new();
        self.body(body, &activation, &mut out)?;
        Ok(out)
    }

    pub fn activate(&self, slots: usize, around: Option<Rc<Activation>>) -> Result<Rc<Activation>> {
        self.budget.grow(64 + slots * size_of::<Option<Value>>())?;
        let activation = Rc::new(Activation { slots: RefCell::new(vec![None; slots]), around });
        self.activations.borrow_mut().push(activation.clone());
        Ok(activation)
    }

    pub fn namespace(&self) -> Result<Rc<Namespace>> {
        self.budget.grow(128)?;
        let namespace = Rc::new(Namespace::default());
        self.namespaces.borrow_mut().push(namespace.clone());
        Ok(namespace)
    }

    fn holder(activation: &Rc<Activation>, hops: usize) -> &Rc<Activation> {
        let mut holder = activation;
        for _ in 0..hops {
            if let Some(around) = &holder.around {
                holder = around;
            }
        }
        holder
    }

    /// A variable; `None` where it was not set.
    pub fn variable(&self, place: Place, activation: &Rc<Activation>) -> Option<Value> {
        let slots = Self::holder(activation, place.hops).slots.borrow();
        slots.get(place.slot).cloned().flatten()
    }

    pub fn set_variable(&self, place: Place, activation: &Rc<Activation>, value: Option<Value>) {
        let mut slots = Self::holder(activation, place.hops).slots.borrow_mut();
        let before = slots.get_mut(place.slot).and_then(|slot| std::mem::replace(slot, value));
        drop(slots);
        drop(before);
    }

    pub fn enter(&self, scope: &Scope, activation: &Rc<Activation>) {
        for (slot, load) in &scope.loads {
            let value = match load {
                Load::Parameter => continue,
                Load::Resolve(name) => {
                    self.given.iter().find(|(known, _)| known == name).map(|(_, v)| v.clone())
                }
                Load::Alias(place) => self.variable(*place, activation),
                Load::Undefined => None,
            };
            self.set_variable(Place { hops: 0, slot: *slot }, activation, value);
        }
    }

    fn leave(&self, scope: &Scope, activation: &Rc<Activation>) {
        for (slot, _) in &scope.loads {
            self.set_variable(Place { hops: 0, slot: *slot }, activation, None);
        }
    }

    pub fn captured(&self) -> Value {
        self.captured.borrow().last().cloned().unwrap_or(Value::None)
    }

    /// Runs statements.
    pub fn body(&self, body: &[Stmt], activation: &Rc<Activation>, out: &mut String) -> Result<Flow> {
        let _deeper = self.budget.deeper()?;
        for statement in body {
            self.budget.work(1)?;
            let flow = match statement {
                Stmt::Text(text) => {
                    self.budget.grow(text.len())?;
                    out.push_str(text);
                    Flow::Through
                }
                Stmt::Print(expr) => {
                    let value = self.eval(expr, activation)?;
                    self.write_str(&value, out)?;
                    Flow::Through
                }
                Stmt::If(branches, otherwise) => self.condition(branches, otherwise, activation, out)?,
                Stmt::For(code) => self.for_loop(code, activation, out)?,
                Stmt::Set(target, value) => {
                    self.check_target(target, activation)?;
                    let value = self.eval(value, activation)?;
                    self.assign(target, value, activation)?;
                    Flow::Through
                }
                Stmt::Break => Flow::Break,
                Stmt::Continue => Flow::Continue,
                other => self.block(other, activation, out)?,
            };
            if flow != Flow::Through {
                return Ok(flow);
            }
        }
        Ok(Flow::Through)
    }

    fn condition(
        &self,
        branches: &[(Expr, Vec<Stmt>)],
        otherwise: &[Stmt],
        activation: &Rc<Activation>,
        out: &mut String,
    ) -> Result<Flow> {
        for (test, body) in branches {
            if self.eval(test, activation)?.truth() {
                return self.body(body, activation, out);
            }
        }
        self.body(otherwise, activation, out)
    }

    /// Statements that have a scope of their own.
    #[inline(never)]
    fn block(&self, statement: &Stmt, activation: &Rc<Activation>, out: &mut String) -> Result<Flow> {
        match statement {
            Stmt::SetBlock(target, filter, body, scope) => {
                self.check_target(target, activation)?;
                self.enter(scope, activation);
                let (flow, value) = self.capture(body, filter, activation)?;
                if flow == Flow::Through {
                    self.assign(target, value, activation)?;
                }
                self.leave(scope, activation);
                Ok(flow)
            }
            Stmt::Filter(filter, body, scope) => {
                self.enter(scope, activation);
                let (flow, value) = self.capture(body, filter, activation)?;
                if flow == Flow::Through {
                    self.write_only_text(&value, out)?;
                }
                self.leave(scope, activation);
                Ok(flow)
            }
            Stmt::With(pairs, body, scope) => {
                // A value sees what is around the block, and the targets before it only where they are the same variable.
                self.enter(scope, activation);
                for (target, value) in pairs {
                    let value = self.eval(value, activation)?;
                    self.assign(target, value, activation)?;
                }
                let flow = self.body(body, activation, out)?;
                self.leave(scope, activation);
                Ok(flow)
            }
            Stmt::Macro(name, code) => {
                let made =
                    MacroValue { name: code.name.clone(), code: code.clone(), around: activation.clone() };
                self.set_variable(name.place, activation, Some(Value::Macro(Rc::new(made))));
                Ok(Flow::Through)
            }
            Stmt::Call(code, call) => {
                let made = MacroValue { name: "".into(), code: code.clone(), around: activation.clone() };
                let caller = Value::Macro(Rc::new(made));
                let value = self.call_with_caller(call, caller, activation)?;
                self.write_only_text(&value, out)?;
                Ok(Flow::Through)
            }
            Stmt::Generation(code) => {
                let made = MacroValue { name: "".into(), code: code.clone(), around: activation.clone() };
                let value = self.call_macro(&made, Default::default())?;
                self.write_str(&value, out)?;
                Ok(Flow::Through)
            }
            _ => Ok(Flow::Through),
        }
    }

    /// What a filter block or a call block gives has to be a text: jinja2 makes none of it.
    fn write_only_text(&self, value: &Value, out: &mut String) -> Result<()> {
        match value.as_str() {
            Some(text) => self.push(text, out),
            None => type_error(format!("expected str instance, {} found", value.type_name())),
        }
    }

    /// What statements write, through filters.
    fn capture(&self, body: &[Stmt], filter: &Expr, activation: &Rc<Activation>) -> Result<(Flow, Value)> {
        let mut text = String::new();
        let flow = self.body(body, activation, &mut text)?;
        if flow != Flow::Through {
            return Ok((flow, Value::None));
        }
        self.budget.grow(text.len())?;
        self.captured.borrow_mut().push(Value::str(text));
        let filtered = self.eval(filter, activation);
        self.captured.borrow_mut().pop();
        Ok((flow, filtered?))
    }

    /// Attributes can be set on namespaces alone; that is looked at before the value is made.
    fn check_target(&self, target: &Target, activation: &Rc<Activation>) -> Result<()> {
        match target {
            Target::Name(_) => Ok(()),
            Target::Attribute(name, _) => match self.variable(name.place, activation) {
                Some(Value::Namespace(_)) => Ok(()),
                _ => type_error("cannot assign attribute on non-namespace object"),
            },
            Target::Tuple(targets) => {
                targets.iter().try_for_each(|target| self.check_target(target, activation))
            }
        }
    }

    pub fn assign(&self, target: &Target, value: Value, activation: &Rc<Activation>) -> Result<()> {
        match target {
            Target::Name(name) => self.set_variable(name.place, activation, Some(value)),
            Target::Attribute(name, attribute) => {
                let Some(Value::Namespace(namespace)) = self.variable(name.place, activation) else {
                    return type_error("cannot assign attribute on non-namespace object");
                };
                self.budget.grow(64)?;
                namespace.values.borrow_mut().insert(Value::Str(attribute.clone()), value)?;
            }
            Target::Tuple(targets) => {
                let mut items = self.iter(&value)?;
                for target in targets {
                    let Some(item) = items.next(self)? else {
                        return value_error(format!(
                            "not enough values to unpack (expected {})",
                            targets.len()
                        ));
                    };
                    self.assign(target, item, activation)?;
                }
                if items.next(self)?.is_some() {
                    return value_error(format!("too many values to unpack (expected {})", targets.len()));
                }
            }
        }
        Ok(())
    }

    #[inline(never)]
    fn for_loop(&self, code: &Rc<For>, activation: &Rc<Activation>, out: &mut String) -> Result<Flow> {
        let over = self.eval(&code.iter, activation)?;
        if code.recursive {
            return self.recursive_loop(code, activation, over, 0, out).map(|()| Flow::Through);
        }
        self.run_loop(code, activation, activation, over, 0, out)
    }

    /// A recursive loop is a function: `around` is what it stands in.
    pub fn recursive_loop(
        &self,
        code: &Rc<For>,
        around: &Rc<Activation>,
        over: Value,
        depth: usize,
        out: &mut String,
    ) -> Result<()> {
        let inside = self.activate(code.slots, Some(around.clone()))?;
        self.run_loop(code, &inside, around, over, depth, out).map(|_| ())
    }

    fn run_loop(
        &self,
        code: &Rc<For>,
        activation: &Rc<Activation>,
        around: &Rc<Activation>,
        over: Value,
        depth: usize,
        out: &mut String,
    ) -> Result<Flow> {
        let _deeper = self.budget.deeper()?;
        let mut items = self.iter(&over)?;
        let mut len = over.len();
        if let Some(test) = &code.test {
            let inside = self.activate(test.slots, Some(around.clone()))?;
            self.enter(&test.scope, &inside);
            items = Iter::Filtered(Box::new(items), code.clone(), inside);
            len = None;
        }
        let recurse = code.recursive.then(|| (code.clone(), around.clone()));
        let state = Loop::new(items, over.depth(), len, depth, recurse);
        // What follows is never run where the loop was left by `break`, and `else` is where nothing came to its end.
        let mut came_through = false;
        while let Some(item) = state.advance(self)? {
            self.budget.work(1)?;
            if let Some(slot) = code.state {
                self.set_variable(Place { hops: 0, slot }, activation, Some(Value::Loop(state.clone())));
            }
            self.assign(&code.target, item, activation)?;
            self.enter(&code.scope, activation);
            match self.body(&code.body, activation, out)? {
                Flow::Through => came_through = true,
                Flow::Continue => {}
                Flow::Break => break,
            }
        }
        self.leave(&code.scope, activation);
        if !came_through {
            self.enter(&code.otherwise_scope, activation);
            let flow = self.body(&code.otherwise, activation, out)?;
            self.leave(&code.otherwise_scope, activation);
            return Ok(flow);
        }
        Ok(Flow::Through)
    }

    /// Whether a loop's condition holds for an item.
    pub fn loop_test(&self, code: &For, item: &Value, inside: &Rc<Activation>) -> Result<bool> {
        let Some(test) = &code.test else { return Ok(true) };
        self.assign(&test.target, item.clone(), inside)?;
        Ok(self.eval(&test.condition, inside)?.truth())
    }
}
