//! Which variable a name is. jinja2 decides that before it renders, from where names are read and set (its `idtracking.py`), and so
//! does this: a name that the template sets at its top level is never the value that was given under that name, not even earlier.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::ast::{Expr, For, Load, Macro, Name, Place, Scope, Stmt, Target};
use super::error::{JinjaError, Result, unsupported};
use super::names;

/// Names that may be looked at while scopes of conditions are copied.
const WORK: usize = 500_000;

/// A variable: the function that it is in, and its place there.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Variable {
    function: usize,
    slot: usize,
}

#[derive(Clone, Debug)]
enum Source {
    Parameter,
    Resolve(Rc<str>),
    Alias(Variable),
    Undefined,
}

#[derive(Clone, Default)]
struct Symbols {
    refs: BTreeMap<Rc<str>, Variable>,
    loads: BTreeMap<Variable, Source>,
    stores: BTreeSet<Rc<str>>,
}

struct Frame {
    symbols: Symbols,
    function: usize,
}

/// Variables of the same name and depth of scope are one, as in the code that jinja2 makes.
struct Function {
    depth: usize,
    slots: BTreeMap<(usize, Rc<str>), usize>,
}

struct Resolver {
    frames: Vec<Frame>,
    functions: Vec<Function>,
    work: usize,
}

/// Resolves the names of a template; returns the scope of its top level and how many variables that has.
pub(super) fn resolve(body: &mut [Stmt]) -> Result<(Scope, usize)> {
    let mut resolver = Resolver { frames: Vec::new(), functions: Vec::new(), work: 0 };
    let function = resolver.function();
    resolver.enter(function);
    resolver.read_body(body)?;
    resolver.body(body)?;
    let scope = resolver.leave();
    Ok((scope, resolver.functions[function].slots.len()))
}

impl Resolver {
    fn function(&mut self) -> usize {
        let depth = self.frames.last().map_or(0, |frame| self.functions[frame.function].depth + 1);
        self.functions.push(Function { depth, slots: BTreeMap::new() });
        self.functions.len() - 1
    }

    fn enter(&mut self, function: usize) {
        self.frames.push(Frame { symbols: Symbols::default(), function });
    }

    fn here(&self) -> usize {
        self.frames.last().map_or(0, |frame| frame.function)
    }

    fn symbols(&mut self) -> &mut Symbols {
        // There is always a frame: the template's own.
        let last = self.frames.len().saturating_sub(1);
        &mut self.frames[last].symbols
    }

    fn place(&self, variable: Variable, from: usize) -> Place {
        let hops = self.functions[from].depth - self.functions[variable.function].depth;
        Place { hops, slot: variable.slot }
    }

    fn leave(&mut self) -> Scope {
        let Some(frame) = self.frames.pop() else { return Scope::default() };
        let load = |(variable, source): (Variable, Source)| {
            let load = match source {
                Source::Parameter => Load::Parameter,
                Source::Resolve(name) => Load::Resolve(name),
                Source::Alias(outer) => Load::Alias(self.place(outer, frame.function)),
                Source::Undefined => Load::Undefined,
            };
            (variable.slot, load)
        };
        Scope { loads: frame.symbols.loads.into_iter().map(load).collect() }
    }

    fn find_around(&self, name: &str) -> Option<Variable> {
        let around = self.frames.len().saturating_sub(1);
        self.frames[..around].iter().rev().find_map(|frame| frame.symbols.refs.get(name).copied())
    }

    fn find(&self, name: &str) -> Option<Variable> {
        self.frames.iter().rev().find_map(|frame| frame.symbols.refs.get(name).copied())
    }

    fn define(&mut self, name: &Rc<str>, source: Source) -> Variable {
        let (level, function) = (self.frames.len(), self.here());
        let slots = &mut self.functions[function].slots;
        let next = slots.len();
        let slot = *slots.entry((level, name.clone())).or_insert(next);
        let variable = Variable { function, slot };
        let symbols = self.symbols();
        symbols.refs.insert(name.clone(), variable);
        symbols.loads.insert(variable, source);
        variable
    }

    fn load(&mut self, name: &Rc<str>) -> Result<()> {
        if self.find(name).is_none() {
            if matches!(&**name, "self" | "super") {
                return unsupported(format!("'{name}'"));
            }
            self.define(name, Source::Resolve(name.clone()));
        }
        Ok(())
    }

    fn store(&mut self, name: &Rc<str>) {
        self.symbols().stores.insert(name.clone());
        if !self.symbols().refs.contains_key(name) {
            let source = self.find_around(name).map_or(Source::Undefined, Source::Alias);
            self.define(name, source);
        }
    }

    fn parameter(&mut self, name: &Rc<str>) -> usize {
        self.symbols().stores.insert(name.clone());
        self.define(name, Source::Parameter).slot
    }

    fn read(&mut self, expr: &Expr) -> Result<()> {
        let mut found = Vec::new();
        names::of_expr(expr, &mut |name| found.push(name.name.clone()));
        found.iter().try_for_each(|name| self.load(name))
    }

    fn write(&mut self, target: &Target, as_parameter: bool) -> Result<()> {
        match target {
            Target::Name(name) if as_parameter => {
                self.parameter(&name.name);
            }
            Target::Name(name) => self.store(&name.name),
            Target::Attribute(name, _) => self.load(&name.name)?,
            Target::Tuple(targets) => {
                for target in targets {
                    self.write(target, as_parameter)?;
                }
            }
        }
        Ok(())
    }

    /// What statements read and set in the scope that they stand in; those of scopes of their own come later.
    fn read_body(&mut self, body: &[Stmt]) -> Result<()> {
        for statement in body {
            match statement {
                Stmt::Text(_) | Stmt::Generation(_) | Stmt::Break | Stmt::Continue => {}
                Stmt::Print(expr) | Stmt::Call(_, expr) | Stmt::Filter(expr, ..) => self.read(expr)?,
                Stmt::For(inner) => self.read(&inner.iter)?,
                Stmt::If(branches, otherwise) => self.read_condition(branches, otherwise)?,
                Stmt::Set(target, value) => {
                    self.read(value)?;
                    self.write(target, false)?;
                }
                Stmt::SetBlock(target, filter, ..) => {
                    self.read(filter)?;
                    self.write(target, false)?;
                }
                Stmt::With(pairs, ..) => {
                    for (_, value) in pairs {
                        self.read(value)?;
                    }
                }
                Stmt::Macro(name, _) => self.store(&name.name),
            }
        }
        Ok(())
    }

    fn read_condition(&mut self, branches: &[(Expr, Vec<Stmt>)], otherwise: &[Stmt]) -> Result<()> {
        let Some(((test, body), more)) = branches.split_first() else { return Ok(()) };
        self.read(test)?;
        let before = self.symbols().clone();
        self.work += 3 * before.refs.len() + 1;
        if self.work > WORK {
            return Err(JinjaError::Limit { what: "names in conditions", most: WORK as u64 });
        }
        let branch = |resolver: &mut Self, read: &dyn Fn(&mut Self) -> Result<()>| {
            read(resolver)?;
            let inside = std::mem::replace(resolver.symbols(), before.clone());
            Ok(inside)
        };
        let made = [
            branch(self, &|resolver| resolver.read_body(body))?,
            branch(self, &|resolver| {
                more.iter().try_for_each(|elif| resolver.read_condition(std::slice::from_ref(elif), &[]))
            })?,
            branch(self, &|resolver| resolver.read_body(otherwise))?,
        ];
        let mut stores: BTreeMap<Rc<str>, usize> = BTreeMap::new();
        for name in made.iter().flat_map(|symbols| &symbols.stores) {
            if !before.stores.contains(name) {
                *stores.entry(name.clone()).or_default() += 1;
            }
        }
        for symbols in made {
            let here = self.symbols();
            here.refs.extend(symbols.refs);
            here.loads.extend(symbols.loads);
            here.stores.extend(symbols.stores);
        }
        for (name, count) in stores {
            let Some(variable) = self.find(&name).filter(|_| count < 3) else { continue };
            let source = self.find_around(&name).map_or(Source::Resolve(name), Source::Alias);
            self.symbols().loads.insert(variable, source);
        }
        Ok(())
    }

    fn name(&self, name: &mut Name) {
        // Everything that is read here was read before; what was not is in no scope, and undefined.
        if let Some(variable) = self.find(&name.name) {
            name.place = self.place(variable, self.here());
        }
    }

    fn target(&self, target: &mut Target) {
        match target {
            Target::Name(name) | Target::Attribute(name, _) => self.name(name),
            Target::Tuple(targets) => targets.iter_mut().for_each(|target| self.target(target)),
        }
    }

    fn expr(&self, expr: &mut Expr) {
        names::of_expr_mut(expr, &mut |name| self.name(name));
    }

    fn body(&mut self, body: &mut [Stmt]) -> Result<()> {
        for statement in body {
            match statement {
                Stmt::Text(_) | Stmt::Break | Stmt::Continue => {}
                Stmt::Print(expr) => self.expr(expr),
                Stmt::For(inner) => self.for_loop(unique(inner)?)?,
                Stmt::If(branches, otherwise) => {
                    for (test, body) in branches {
                        self.expr(test);
                        self.body(body)?;
                    }
                    self.body(otherwise)?;
                }
                Stmt::Set(target, value) => {
                    self.expr(value);
                    self.target(target);
                }
                Stmt::SetBlock(target, filter, body, scope) => {
                    self.target(target);
                    self.expr(filter);
                    self.enter(self.here());
                    self.read_body(body)?;
                    self.body(body)?;
                    *scope = self.leave();
                }
                Stmt::Filter(filter, body, scope) => {
                    // The filter is read in the block's scope.
                    self.enter(self.here());
                    self.read_body(body)?;
                    self.read(filter)?;
                    self.body(body)?;
                    self.expr(filter);
                    *scope = self.leave();
                }
                Stmt::With(pairs, body, scope) => {
                    for (_, value) in pairs.iter_mut() {
                        self.expr(value);
                    }
                    self.enter(self.here());
                    for (target, _) in pairs.iter_mut() {
                        self.write(target, true)?;
                        self.target(target);
                    }
                    self.read_body(body)?;
                    self.body(body)?;
                    *scope = self.leave();
                }
                Stmt::Macro(name, made) => {
                    self.name(name);
                    self.function_of(unique(made)?)?;
                }
                Stmt::Call(made, call) => {
                    self.function_of(unique(made)?)?;
                    self.expr(call);
                }
                Stmt::Generation(made) => self.function_of(unique(made)?)?,
            }
        }
        Ok(())
    }

    fn for_loop(&mut self, made: &mut For) -> Result<()> {
        if names::sets(made, "loop") {
            return Err(JinjaError::Syntax {
                line: 0,
                said: "Can't assign to special loop variable in for-loop".to_owned(),
            });
        }
        self.expr(&mut made.iter);
        if let Some(test) = &mut made.test {
            let function = self.function();
            self.enter(function);
            self.write(&test.target, true)?;
            self.read(&test.condition)?;
            self.target(&mut test.target);
            self.expr(&mut test.condition);
            test.scope = self.leave();
            test.slots = self.functions[function].slots.len();
        }
        let function = if made.recursive { self.function() } else { self.here() };
        self.enter(function);
        if made.recursive || names::reads(&made.body, "loop") {
            made.state = Some(self.parameter(&"loop".into()));
        }
        self.write(&made.target, true)?;
        self.read_body(&made.body)?;
        self.target(&mut made.target);
        self.body(&mut made.body)?;
        made.scope = self.leave();
        self.enter(function);
        self.read_body(&made.otherwise)?;
        self.body(&mut made.otherwise)?;
        made.otherwise_scope = self.leave();
        made.slots = self.functions[function].slots.len();
        Ok(())
    }

    fn function_of(&mut self, made: &mut Macro) -> Result<()> {
        let function = self.function();
        self.enter(function);
        for parameter in &mut made.parameters {
            self.parameter(&parameter.name);
            self.name(parameter);
        }
        let declared =
            |made: &Macro, name: &str| made.parameters.iter().position(|known| &*known.name == name);
        if names::reads(&made.body, "caller") {
            match declared(made, "caller") {
                None => made.caller = Some(self.parameter(&"caller".into())),
                Some(at) if at + made.defaults.len() < made.parameters.len() => {
                    let said = "the parameter 'caller' of a macro must have a default";
                    return Err(JinjaError::Syntax { line: 0, said: said.to_owned() });
                }
                Some(_) => made.explicit_caller = true,
            }
        }
        if declared(made, "kwargs").is_none() && names::reads(&made.body, "kwargs") {
            made.kwargs = Some(self.parameter(&"kwargs".into()));
        }
        if declared(made, "varargs").is_none() && names::reads(&made.body, "varargs") {
            made.varargs = Some(self.parameter(&"varargs".into()));
        }
        for default in &made.defaults {
            self.read(default)?;
        }
        self.read_body(&made.body)?;
        made.defaults.iter_mut().for_each(|default| self.expr(default));
        self.body(&mut made.body)?;
        made.scope = self.leave();
        made.slots = self.functions[function].slots.len();
        Ok(())
    }
}

/// The parser has just made it: nothing else holds it.
fn unique<T>(shared: &mut Rc<T>) -> Result<&mut T> {
    Rc::get_mut(shared).ok_or_else(|| JinjaError::Value { said: "a block is shared".to_owned() })
}
