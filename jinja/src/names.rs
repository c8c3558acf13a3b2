//! Which names a piece of a template mentions.

use super::ast::{Arguments, Expr, For, Macro, Name, Stmt, Target};

/// What can be gone through by shared or by unique reference alike.
macro_rules! walk_expr {
    ($walk:ident, $walk_arguments:ident, $iter:ident, $as_deref:ident $(, $mutable:tt)?) => {
        /// Calls `found` with each name that is read, in the order of the source.
        pub(super) fn $walk<'a>(expr: &'a $($mutable)? Expr, found: &mut dyn FnMut(&'a $($mutable)? Name)) {
            match expr {
                Expr::Const(_) | Expr::Captured => {}
                Expr::Name(name) => found(name),
                Expr::Tuple(items) | Expr::List(items) | Expr::Concat(items) => {
                    items.$iter().for_each(|item| $walk(item, found));
                }
                Expr::Dict(pairs) => {
                    for (key, value) in pairs {
                        $walk(key, found);
                        $walk(value, found);
                    }
                }
                Expr::Attribute(of, _) => $walk(of, found),
                Expr::Item(left, right)
                | Expr::Binary(_, left, right)
                | Expr::And(left, right)
                | Expr::Or(left, right) => {
                    $walk(left, found);
                    $walk(right, found);
                }
                Expr::Slice(of, parts) => {
                    $walk(of, found);
                    parts.$iter().flatten().for_each(|part| $walk(part, found));
                }
                Expr::Call(of, arguments) | Expr::Filter(of, _, arguments) | Expr::Test(of, _, arguments) => {
                    $walk(of, found);
                    $walk_arguments(arguments, found);
                }
                Expr::Not(inner) | Expr::Negative(inner) | Expr::Positive(inner) => $walk(inner, found),
                Expr::Compare(first, rest) => {
                    $walk(first, found);
                    rest.$iter().for_each(|(_, operand)| $walk(operand, found));
                }
                Expr::Condition(test, then, otherwise) => {
                    $walk(test, found);
                    $walk(then, found);
                    if let Some(otherwise) = otherwise {
                        $walk(otherwise, found);
                    }
                }
            }
        }

        fn $walk_arguments<'a>(arguments: &'a $($mutable)? Arguments, found: &mut dyn FnMut(&'a $($mutable)? Name)) {
            arguments.positional.$iter().for_each(|item| $walk(item, found));
            arguments.named.$iter().for_each(|(_, item)| $walk(item, found));
            for dynamic in [arguments.star.$as_deref(), arguments.star_star.$as_deref()].into_iter().flatten() {
                $walk(dynamic, found);
            }
        }
    };
}

walk_expr!(of_expr, of_arguments, iter, as_deref);
walk_expr!(of_expr_mut, of_arguments_mut, iter_mut, as_deref_mut, mut);

/// A mention of a name: whether it is read there, or set.
type Mention<'f> = dyn FnMut(&str, bool) + 'f;

fn of_target(target: &Target, found: &mut Mention<'_>) {
    match target {
        Target::Name(name) => found(&name.name, false),
        Target::Attribute(..) => {}
        Target::Tuple(targets) => targets.iter().for_each(|target| of_target(target, found)),
    }
}

fn reading(expr: &Expr, found: &mut Mention<'_>) {
    of_expr(expr, &mut |name| found(&name.name, true));
}

fn of_macro(made: &Macro, found: &mut Mention<'_>) {
    made.parameters.iter().for_each(|parameter| found(&parameter.name, false));
    made.defaults.iter().for_each(|default| reading(default, found));
    of_body(&made.body, found);
}

fn of_for(made: &For, found: &mut Mention<'_>) {
    of_target(&made.target, found);
    reading(&made.iter, found);
    of_body(&made.body, found);
    of_body(&made.otherwise, found);
    if let Some(test) = &made.test {
        reading(&test.condition, found);
    }
}

fn of_body(body: &[Stmt], found: &mut Mention<'_>) {
    for statement in body {
        match statement {
            Stmt::Text(_) | Stmt::Break | Stmt::Continue => {}
            Stmt::Print(expr) => reading(expr, found),
            Stmt::For(made) => of_for(made, found),
            Stmt::If(branches, otherwise) => {
                for (test, body) in branches {
                    reading(test, found);
                    of_body(body, found);
                }
                of_body(otherwise, found);
            }
            Stmt::Set(target, value) => {
                of_target(target, found);
                reading(value, found);
            }
            Stmt::SetBlock(target, filter, body, _) => {
                of_target(target, found);
                reading(filter, found);
                of_body(body, found);
            }
            Stmt::Filter(filter, body, _) => {
                of_body(body, found);
                reading(filter, found);
            }
            Stmt::With(pairs, body, _) => {
                pairs.iter().for_each(|(target, _)| of_target(target, found));
                pairs.iter().for_each(|(_, value)| reading(value, found));
                of_body(body, found);
            }
            Stmt::Macro(_, made) | Stmt::Generation(made) => of_macro(made, found),
            Stmt::Call(made, call) => {
                reading(call, found);
                of_macro(made, found);
            }
        }
    }
}

/// Whether `body` reads `name` before it sets it.
pub(super) fn reads(body: &[Stmt], name: &str) -> bool {
    let (mut read, mut set) = (false, false);
    of_body(body, &mut |known, is_read| {
        if known == name {
            read |= is_read && !set;
            set |= !is_read;
        }
    });
    read
}

/// Whether the loop sets `name` anywhere in it.
pub(super) fn sets(made: &For, name: &str) -> bool {
    let mut set = false;
    of_for(made, &mut |known, is_read| set |= known == name && !is_read);
    set
}
