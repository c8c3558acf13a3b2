//! Calls: macros, functions that every template has, and methods.

use std::rc::Rc;

use super::arguments::{Given, as_index, as_text};
use super::ast::Place;
use super::error::{JinjaError, Result, type_error, undefined_error, unsupported, value_error};
use super::render::Renderer;
use super::value::{Cycler, Dict, Function, Items, Joiner, MacroValue, Range, Value};

/// Items of a range; the sandbox's limit.
const RANGE: i128 = 100_000;

/// Names of functions that every template has.
pub(super) const FUNCTIONS: [(&str, Function); 8] = [
    ("range", Function::Range),
    ("dict", Function::Dict),
    ("namespace", Function::Namespace),
    ("cycler", Function::Cycler),
    ("joiner", Function::Joiner),
    ("lipsum", Function::Lipsum),
    ("raise_exception", Function::RaiseException),
    ("strftime_now", Function::StrftimeNow),
];

impl Renderer<'_> {
    pub fn call(&self, of: &Value, given: Given) -> Result<Value> {
        let _deeper = self.budget.deeper()?;
        self.budget.work(1)?;
        match of {
            Value::Macro(made) => self.call_macro(made, given),
            Value::Method(method) => self.call_method(&method.0, method.1, given),
            Value::Function(function) => self.call_function(*function, given),
            Value::Loop(state) => {
                let [over] = given.bind("loop", ["iterable"], 1)?;
                state.recurse(over.unwrap_or(Value::None), self)
            }
            Value::Joiner(joiner) => {
                given.places::<0>("joiner", 0)?;
                Ok(if joiner.used.replace(true) { joiner.separator.clone() } else { Value::str("") })
            }
            Value::Undefined(said) => undefined_error(&**said),
            other => type_error(format!("'{}' object is not callable", other.type_name())),
        }
    }

    #[inline(never)]
    pub fn call_macro(&self, made: &MacroValue, given: Given) -> Result<Value> {
        let code = &made.code;
        let inside = self.activate(code.slots, Some(made.around.clone()))?;
        let Given { positional, mut named } = given;
        let count = code.parameters.len();
        let mut found_caller = positional.len() >= count && code.explicit_caller;
        for (at, parameter) in code.parameters.iter().enumerate() {
            let value = match positional.get(at) {
                Some(value) => Some(value.clone()),
                None => {
                    found_caller |= &*parameter.name == "caller";
                    take(&mut named, &parameter.name)
                }
            };
            self.set_variable(parameter.place, &inside, value);
        }
        let slot = |slot| Place { hops: 0, slot };
        if let Some(caller) = code.caller.filter(|_| !found_caller) {
            let value = take(&mut named, "caller").filter(|value| !matches!(value, Value::None));
            let value = value.unwrap_or_else(|| Value::undefined("No caller defined"));
            self.set_variable(slot(caller), &inside, Some(value));
        }
        if let Some(kwargs) = code.kwargs {
            let pairs = named.drain(..).map(|(name, value)| (Value::Str(name), value)).collect();
            self.set_variable(slot(kwargs), &inside, Some(Value::dict(pairs)?));
        } else if let Some((name, _)) = named.first() {
            return type_error(format!("macro '{}' takes no keyword argument '{name}'", made.name));
        }
        if let Some(varargs) = code.varargs {
            let rest = positional.get(count..).unwrap_or_default().to_vec();
            self.set_variable(slot(varargs), &inside, Some(Value::tuple(rest)?));
        } else if positional.len() > count {
            return type_error(format!("macro '{}' takes not more than {count} argument(s)", made.name));
        }
        self.enter(&code.scope, &inside);
        let first_default = count - code.defaults.len().min(count);
        for (at, parameter) in code.parameters.iter().enumerate() {
            if self.variable(parameter.place, &inside).is_some() {
                continue;
            }
            let value = match at.checked_sub(first_default).and_then(|at| code.defaults.get(at)) {
                Some(default) => self.eval(default, &inside)?,
                None => Value::undefined(format!("parameter '{}' was not provided", parameter.name)),
            };
            self.set_variable(parameter.place, &inside, Some(value));
        }
        let mut out = String::new();
        self.body(&code.body, &inside, &mut out)?;
        self.budget.grow(out.len())?;
        Ok(Value::str(out))
    }

    #[inline(never)]
    fn call_function(&self, function: Function, given: Given) -> Result<Value> {
        match function {
            Function::Range => range(given),
            Function::Dict => Ok(Value::Dict(Rc::new(self.dict_of(given)?))),
            Function::Namespace => {
                let made = self.namespace()?;
                let values = self.dict_of(given)?;
                made.values.replace(values);
                Ok(Value::Namespace(made))
            }
            Function::Cycler => {
                if given.positional.is_empty() || !given.named.is_empty() {
                    return value_error("at least one item has to be provided");
                }
                let items = Items::new(given.positional)?;
                Ok(Value::Cycler(Rc::new(Cycler { items, at: Default::default() })))
            }
            Function::Joiner => {
                let [separator] = given.bind("joiner", ["sep"], 0)?;
                let separator = separator.unwrap_or_else(|| Value::str(", "));
                Ok(Value::Joiner(Rc::new(Joiner { separator, used: Default::default() })))
            }
            Function::Lipsum => unsupported("lipsum, which is random,"),
            Function::RaiseException => {
                let [said] = given.bind("raise_exception", ["message"], 1)?;
                let said = self.text_of(&said.unwrap_or(Value::None))?.to_string();
                Err(JinjaError::Raised { said })
            }
            Function::StrftimeNow => {
                let [pattern] = given.bind("strftime_now", ["format"], 1)?;
                let pattern = as_text("strftime", &pattern.unwrap_or(Value::None))?;
                self.budget.grow(16 * pattern.len())?;
                Ok(Value::str((self.clock)(&pattern)))
            }
        }
    }

    /// As Python's `dict(...)`.
    fn dict_of(&self, given: Given) -> Result<Dict> {
        self.budget.grow(4 * size_of::<Value>() * given.named.len())?;
        let mut dict = Dict::default();
        if given.positional.len() > 1 {
            return type_error("dict expected at most 1 argument");
        }
        match given.positional.first() {
            None => {}
            Some(Value::Dict(other)) => {
                self.budget.grow(4 * size_of::<Value>() * other.len())?;
                dict = Dict::clone(other);
            }
            Some(pairs) => {
                for pair in self.collect(pairs)? {
                    let pair = self.collect(&pair)?;
                    let [key, value] = <[Value; 2]>::try_from(pair)
                        .or_else(|_| value_error("dictionary update sequence needs pairs"))?;
                    self.budget.grow(4 * size_of::<Value>())?;
                    dict.insert(key, value)?;
                }
            }
        }
        for (name, value) in given.named {
            dict.insert(Value::Str(name), value)?;
        }
        Ok(dict)
    }
}

fn take(named: &mut Vec<(Rc<str>, Value)>, name: &str) -> Option<Value> {
    let at = named.iter().position(|(known, _)| **known == *name)?;
    Some(named.remove(at).1)
}

fn range(given: Given) -> Result<Value> {
    let places = given.places::<3>("range", 1)?;
    let count = places.iter().flatten().count();
    let mut numbers = [0, 0, 1];
    for (number, value) in numbers.iter_mut().zip(places.iter().flatten()) {
        *number = as_index("range", value)?;
        if number.unsigned_abs() > 1 << 120 {
            return value_error("range: a number of over 120 bits is not supported");
        }
    }
    let [start, stop, step] = numbers;
    let (start, stop) = if count == 1 { (0, start) } else { (start, stop) };
    if step == 0 {
        return value_error("range() arg 3 must not be zero");
    }
    let range = Range { start, stop, step };
    if range.len() > RANGE {
        return value_error(format!(
            "Range too big. The sandbox blocks ranges larger than MAX_RANGE ({RANGE})."
        ));
    }
    Ok(Value::Range(Rc::new(range)))
}
