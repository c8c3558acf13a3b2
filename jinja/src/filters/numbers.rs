//! Filters of numbers.

use super::super::arguments::{Given, as_index};
use super::super::error::{Result, type_error, undefined_error, unsupported, value_error};
use super::super::numbers::{parse_float, parse_int};
use super::super::render::Renderer;
use super::super::value::Value;

pub(super) fn abs(_: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    given.places::<0>("abs", 0)?;
    match &value {
        Value::Float(value) => Ok(Value::Float(value.abs())),
        other => match other.as_int().and_then(i128::checked_abs) {
            Some(value) => Ok(Value::Int(value)),
            None => type_error(format!("bad operand type for abs(): '{}'", other.type_name())),
        },
    }
}

/// A float's whole part.
fn truncated(value: f64) -> Option<Result<Value>> {
    if !value.is_finite() {
        return None;
    }
    Some(if value.abs() < 1e38 {
        Ok(Value::Int(value as i128))
    } else {
        unsupported("an integer of over 127 bits")
    })
}

pub(super) fn int(_: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [default, base] = given.bind("int", ["default", "base"], 0)?;
    let default = default.unwrap_or(Value::Int(0));
    let base = base.map_or(Ok(10), |base| as_index("int", &base))?;
    match &value {
        Value::Undefined(said) => undefined_error(&**said),
        Value::Float(value) if value.is_nan() => Ok(default),
        // Python's own conversion overflows, which the filter does not catch.
        Value::Float(value) if value.is_infinite() => value_error("cannot convert float infinity to integer"),
        Value::Float(value) => truncated(*value).unwrap_or(Ok(default)),
        Value::Str(text) | Value::Markup(text) => {
            let whole = match u32::try_from(base) {
                Ok(base @ (0 | 2..=36)) => parse_int(text, base),
                _ => None,
            };
            match whole {
                Some(Ok(whole)) => Ok(Value::Int(whole)),
                Some(Err(said)) => unsupported(said),
                None => parse_float(text).and_then(truncated).unwrap_or(Ok(default)),
            }
        }
        other => Ok(other.as_int().map_or(default, Value::Int)),
    }
}

pub(super) fn float(_: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [default] = given.bind("float", ["default"], 0)?;
    let default = default.unwrap_or(Value::Float(0.0));
    match &value {
        Value::Undefined(said) => undefined_error(&**said),
        Value::Float(value) => Ok(Value::Float(*value)),
        Value::Str(text) | Value::Markup(text) => Ok(parse_float(text).map_or(default, Value::Float)),
        other => Ok(other.as_int().map_or(default, |whole| Value::Float(whole as f64))),
    }
}

pub(super) fn round(_: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [precision, method] = given.bind("round", ["precision", "method"], 0)?;
    let method = match &method {
        None => "common",
        Some(method) => match method.as_str().map(|method| &**method) {
            Some(method @ ("common" | "ceil" | "floor")) => method,
            _ => return value_error("method must be common, ceil or floor"),
        },
    };
    // `round(x, None)` of Python's gives an integer.
    let places = match &precision {
        Some(Value::None) => return unsupported("round with a precision of none"),
        Some(precision) => as_index("round", precision)?,
        None => 0,
    };
    let Ok(places) = i32::try_from(places) else { return unsupported("rounding to so many digits") };
    let number = match &value {
        Value::Undefined(said) => return undefined_error(&**said),
        Value::Float(number) => *number,
        other => match other.as_int() {
            None => return type_error(format!("type {} doesn't define __round__ method", other.type_name())),
            Some(whole) if method == "common" && places >= 0 => return Ok(Value::Int(whole)),
            Some(whole) if method == "common" => return rounded_integer(whole, places.unsigned_abs()),
            Some(whole) => whole as f64,
        },
    };
    if method == "common" {
        return Ok(Value::Float(rounded(number, places)));
    }
    if !(0..=22).contains(&places) {
        return unsupported("rounding up or down to so many digits");
    }
    let scale = 10f64.powi(places);
    let scaled = number * scale;
    if !scaled.is_finite() {
        return value_error("cannot convert float infinity to integer");
    }
    let whole = if method == "ceil" { scaled.ceil() } else { scaled.floor() };
    // An integer in Python, so that there is no negative zero.
    Ok(Value::Float((whole + 0.0) / scale))
}

/// Half to even, exactly: by the digits that the number has.
fn rounded(number: f64, places: i32) -> f64 {
    if !number.is_finite() || number == 0.0 || places > 323 {
        return number;
    }
    if places >= 0 {
        let text = format!("{number:.*}", places as usize);
        return text.parse().unwrap_or(number);
    }
    if places < -308 {
        return 0.0f64.copysign(number);
    }
    let scale = 10f64.powi(-places);
    let quotient = number / scale;
    let mut whole = quotient.round();
    if (quotient - whole).abs() == 0.5 {
        whole = 2.0 * (quotient / 2.0).round();
    }
    whole * scale
}

fn rounded_integer(whole: i128, places: u32) -> Result<Value> {
    let Some(scale) = 10i128.checked_pow(places) else { return Ok(Value::Int(0)) };
    let (floor, rest) = (whole.div_euclid(scale), whole.rem_euclid(scale));
    let up = rest * 2 > scale || rest * 2 == scale && floor % 2 != 0;
    Ok(Value::Int((floor + i128::from(up)) * scale))
}

pub(super) fn filesizeformat(_: &Renderer<'_>, value: Value, given: Given) -> Result<Value> {
    let [binary] = given.bind("filesizeformat", ["binary"], 0)?;
    let binary = binary.is_some_and(|binary| binary.truth());
    let bytes = match &value {
        Value::Undefined(said) => return undefined_error(&**said),
        Value::Float(bytes) => *bytes,
        Value::Str(text) => match parse_float(text) {
            Some(bytes) => bytes,
            None => return value_error("could not convert string to float"),
        },
        other => match other.as_int() {
            Some(bytes) => bytes as f64,
            None => return type_error("float() argument must be a string or a real number"),
        },
    };
    let base: f64 = if binary { 1024.0 } else { 1000.0 };
    if bytes == 1.0 {
        return Ok(Value::str("1 Byte"));
    }
    if bytes < base {
        return match truncated(bytes) {
            Some(Ok(Value::Int(whole))) => Ok(Value::str(format!("{whole} Bytes"))),
            _ => value_error("cannot convert float to integer"),
        };
    }
    let prefixes = if binary {
        ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"]
    } else {
        ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"]
    };
    let mut unit = base;
    let mut prefix = "";
    for next in prefixes {
        unit *= base;
        prefix = next;
        if bytes < unit {
            break;
        }
    }
    Ok(Value::str(format!("{:.1} {prefix}", base * bytes / unit)))
}
