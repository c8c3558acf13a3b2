//! A parsed template. Names are resolved by `symbols.rs`.

use std::rc::Rc;

use super::filters::Filter;
use super::predicates::Predicate;
use super::value::Value;

/// Where a variable lies: in which of the functions around, counted outwards, and at which place there.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub hops: usize,
    pub slot: usize,
}

pub(super) struct Name {
    pub name: Rc<str>,
    pub place: Place,
}

/// What a scope's variable is when the scope is entered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Load {
    /// The caller sets it.
    Parameter,
    /// What was given to the template under that name.
    Resolve(Rc<str>),
    /// The variable of a scope around it.
    Alias(Place),
    Undefined,
}

/// What happens where a scope is entered, and left: its variables are gone then.
#[derive(Default)]
pub(super) struct Scope {
    /// Slots of the function that it is in.
    pub loads: Vec<(usize, Load)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Sub,
    Mul,
    Div,
    FloorDiv,
    Mod,
    Pow,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
    In,
    NotIn,
}

#[derive(Default)]
pub(super) struct Arguments {
    pub positional: Vec<Expr>,
    pub named: Vec<(Rc<str>, Expr)>,
    pub star: Option<Box<Expr>>,
    pub star_star: Option<Box<Expr>>,
}

pub(super) enum Expr {
    Const(Value),
    Name(Name),
    Tuple(Vec<Expr>),
    List(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Attribute(Box<Expr>, Rc<str>),
    Item(Box<Expr>, Box<Expr>),
    Slice(Box<Expr>, Box<[Option<Expr>; 3]>),
    Call(Box<Expr>, Box<Arguments>),
    /// The text of a filter block where nothing is filtered.
    Captured,
    /// A filter's name that nothing has fails where it is reached.
    Filter(Box<Expr>, std::result::Result<Filter, Rc<str>>, Box<Arguments>),
    Test(Box<Expr>, std::result::Result<Predicate, Rc<str>>, Box<Arguments>),
    Not(Box<Expr>),
    Negative(Box<Expr>),
    Positive(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    Concat(Vec<Expr>),
    /// Test, then, else.
    Condition(Box<Expr>, Box<Expr>, Option<Box<Expr>>),
}

/// What can be assigned to.
pub(super) enum Target {
    Name(Name),
    Attribute(Name, Rc<str>),
    Tuple(Vec<Target>),
}

/// A macro, or what a call block hands to a macro as `caller`.
pub(super) struct Macro {
    pub name: Rc<str>,
    pub parameters: Vec<Name>,
    /// Of the last parameters.
    pub defaults: Vec<Expr>,
    pub body: Vec<Stmt>,
    pub scope: Scope,
    pub slots: usize,
    /// Where the body reads these without declaring them.
    pub caller: Option<usize>,
    pub kwargs: Option<usize>,
    pub varargs: Option<usize>,
    /// `caller` is a parameter of its own.
    pub explicit_caller: bool,
}

pub(super) struct For {
    pub target: Target,
    pub iter: Expr,
    pub test: Option<LoopTest>,
    pub body: Vec<Stmt>,
    pub otherwise: Vec<Stmt>,
    pub recursive: bool,
    /// Where `loop` lies, where the body reads it.
    pub state: Option<usize>,
    pub scope: Scope,
    pub otherwise_scope: Scope,
    /// Variables of a recursive loop, which is a function.
    pub slots: usize,
}

/// The condition of a loop: a function of its own, since it may be asked of the next item while the body still runs.
pub(super) struct LoopTest {
    pub target: Target,
    pub condition: Expr,
    pub scope: Scope,
    pub slots: usize,
}

pub(super) enum Stmt {
    Text(Rc<str>),
    Print(Expr),
    For(Rc<For>),
    If(Vec<(Expr, Vec<Stmt>)>, Vec<Stmt>),
    Set(Target, Expr),
    /// Target, filters over what was captured, body.
    SetBlock(Target, Expr, Vec<Stmt>, Scope),
    Filter(Expr, Vec<Stmt>, Scope),
    With(Vec<(Target, Expr)>, Vec<Stmt>, Scope),
    Macro(Name, Rc<Macro>),
    /// The macro of the body, and the call that is given it.
    Call(Rc<Macro>, Expr),
    /// What a model says, marked for training: a function without parameters that is called where it stands.
    Generation(Rc<Macro>),
    Break,
    Continue,
}
