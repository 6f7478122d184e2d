//! Values of integer constants, for the lengths of arrays, and types of package-level values.
//!
//! The value of a string constant is its length in bytes: that is all that a length can depend on.

use go_syntax::ast::{BinaryOp, ExprId, ExprKind, LiteralKind, UnaryOp, ValueSpec};

use super::{Entity, Infer, Item, Operand};
use crate::facts::Res;
use crate::types::{Basic, Ty, TyKind};

impl<'a> Infer<'a> {
    /// The type that the initial value gives to the name at `position` of a `var` line.
    pub(super) fn initial_type(&mut self, spec: &'a ValueSpec, position: usize) -> Ty {
        if spec.values.len() == 1 && spec.names.len() > 1 {
            let types = self.multi_value(spec.values[0], spec.names.len());
            return types.get(position).cloned().unwrap_or_else(Ty::unknown);
        }
        match spec.values.get(position) {
            Some(&value) => {
                let ty = self.expr(value);
                self.default_type(ty)
            }
            None => Ty::unknown(),
        }
    }

    /// Type and value of a constant of a group.
    pub(super) fn constant(
        &mut self,
        specs: &'a [ValueSpec],
        spec: usize,
        position: usize,
        explicit: Option<Ty>,
    ) -> Option<(Ty, Option<i128>)> {
        // A line without values repeats the last one that has some, with its type.
        let source = specs
            .get(..=spec)?
            .iter()
            .rev()
            .find(|s| !s.values.is_empty())?;
        self.iota = Some(i128::from(specs[spec].index));
        let value = *source.values.get(position)?;
        let ty = match (explicit, source.ty) {
            (Some(ty), _) => ty,
            (None, Some(ty)) => self.type_expr(ty),
            (None, None) => self.expr(value),
        };
        let number = self.const_value(value);
        Some((ty, number))
    }

    /// The value of an integer constant expression whose operands were looked at before.
    pub(super) fn const_value(&mut self, expr: ExprId) -> Option<i128> {
        let tree = self.tree;
        match &tree[expr].kind {
            ExprKind::Paren(inner) => self.const_value(*inner),
            ExprKind::Literal(literal) => {
                let text = literal.text.as_deref()?;
                match literal.kind {
                    LiteralKind::Int => int_literal(text),
                    LiteralKind::Rune => rune_literal(text),
                    LiteralKind::Float => {
                        let value: f64 = text.replace('_', "").parse().ok()?;
                        (value.fract() == 0.0 && value.abs() < 1e15).then_some(value as i128)
                    }
                    LiteralKind::String => string_length(text),
                    LiteralKind::Imaginary => None,
                }
            }
            ExprKind::Ident(name) => {
                if let Some(entity) = self.in_scope(*name) {
                    return match entity {
                        Entity::Const(_, value) => *value,
                        _ => None,
                    };
                }
                if *name == "iota"
                    && let Some(iota) = self.iota
                    && self.package_item(*name).is_none()
                {
                    return Some(iota);
                }
                match self.package_item(*name)?.1 {
                    Item::Const(_, value) => value,
                    _ => None,
                }
            }
            ExprKind::Selector { base, name } => match self.facts.refs.get(*base) {
                Some(Res::Import(path)) => match self.imported_item(*path, name.name)? {
                    Item::Const(_, value) => value,
                    _ => None,
                },
                _ => None,
            },
            ExprKind::Unary { op, operand } => {
                let value = self.const_value(*operand)?;
                match op {
                    UnaryOp::Plus => Some(value),
                    UnaryOp::Minus => value.checked_neg(),
                    UnaryOp::Complement => match self.type_of(*operand).kind() {
                        TyKind::Basic(b) => match b {
                            Basic::Uint8 => Some(!value & 0xff),
                            Basic::Uint16 => Some(!value & 0xffff),
                            Basic::Uint32 => Some(!value & 0xffff_ffff),
                            Basic::Uint | Basic::Uint64 | Basic::Uintptr => {
                                Some(!value & i128::from(u64::MAX))
                            }
                            _ => Some(!value),
                        },
                        _ => None,
                    },
                    _ => None,
                }
            }
            ExprKind::Binary { op, lhs, rhs } => {
                let x = self.const_value(*lhs)?;
                let y = self.const_value(*rhs)?;
                match op {
                    BinaryOp::Add => x.checked_add(y),
                    BinaryOp::Sub => x.checked_sub(y),
                    BinaryOp::Mul => x.checked_mul(y),
                    BinaryOp::Div => x.checked_div(y),
                    BinaryOp::Rem => x.checked_rem(y),
                    BinaryOp::And => Some(x & y),
                    BinaryOp::Or => Some(x | y),
                    BinaryOp::Xor => Some(x ^ y),
                    BinaryOp::AndNot => Some(x & !y),
                    BinaryOp::Shl => {
                        let y = u32::try_from(y).ok().filter(|y| *y < 100)?;
                        x.checked_mul(1i128.checked_shl(y)?)
                    }
                    BinaryOp::Shr => {
                        let y = u32::try_from(y).ok()?;
                        Some(x.checked_shr(y).unwrap_or(0))
                    }
                    _ => None,
                }
            }
            ExprKind::Call { func, args, .. } => {
                let [arg] = args[..] else { return None };
                match self.operand_again(*func)? {
                    Operand::Type(ty) => match self.underlying(&ty).kind() {
                        TyKind::Basic(b) if b.is_integer() => self.const_value(arg),
                        TyKind::Basic(Basic::String) => {
                            let from = self.type_of(arg);
                            match self.underlying(&from).kind() {
                                TyKind::Basic(b) if b.is_string() => self.const_value(arg),
                                _ => None,
                            }
                        }
                        _ => None,
                    },
                    Operand::Builtin(name) if name == "len" || name == "cap" => {
                        let ty = self.type_of(arg);
                        let mut under = self.underlying(&ty);
                        if let TyKind::Pointer(inner) = under.kind() {
                            under = self.underlying(inner);
                        }
                        match under.kind() {
                            TyKind::Array(Some(n), _) => Some(i128::from(*n)),
                            TyKind::Basic(b) if b.is_string() => self.const_value(arg),
                            _ => None,
                        }
                    }
                    Operand::Builtin(name) if name == "Sizeof" => {
                        let ty = self.type_of(arg);
                        self.size_of(&ty, 0).map(|(size, _)| size)
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Size and alignment in bytes on a 64-bit machine.
    fn size_of(&self, ty: &Ty, depth: u32) -> Option<(i128, i128)> {
        if depth > 20 {
            return None;
        }
        // The table of the standard library leaves out unexported fields.
        if let TyKind::Named(named) = ty.kind()
            && named.package != self.scope.package
            && matches!(self.underlying(ty).kind(), TyKind::Struct(_))
        {
            return None;
        }
        Some(match self.underlying(ty).kind() {
            TyKind::Basic(b) => {
                let size = match b {
                    Basic::Bool | Basic::Int8 | Basic::Uint8 => 1,
                    Basic::Int16 | Basic::Uint16 => 2,
                    Basic::Int32 | Basic::Uint32 | Basic::Float32 => 4,
                    Basic::Complex64 => return Some((8, 4)),
                    Basic::Complex128 | Basic::String => return Some((16, 8)),
                    Basic::UntypedBool => 1,
                    Basic::UntypedRune => 4,
                    Basic::UntypedString => return Some((16, 8)),
                    Basic::UntypedNil => return None,
                    _ => 8,
                };
                (size, size)
            }
            TyKind::Pointer(_) | TyKind::Map(..) | TyKind::Chan(..) | TyKind::Func(_) => (8, 8),
            TyKind::Slice(_) => (24, 8),
            TyKind::Interface(_) => (16, 8),
            TyKind::Array(Some(n), elem) => {
                let (size, align) = self.size_of(elem, depth + 1)?;
                (size.checked_mul(i128::from(*n))?, align)
            }
            TyKind::Struct(fields) => {
                let (mut offset, mut max) = (0i128, 1i128);
                let mut last = 1;
                for field in fields {
                    let (size, align) = self.size_of(&field.ty, depth + 1)?;
                    offset = (offset + align - 1) / align * align + size;
                    max = max.max(align);
                    last = size;
                }
                if last == 0 && offset > 0 {
                    offset += 1;
                }
                ((offset + max - 1) / max * max, max)
            }
            _ => return None,
        })
    }
}

/// The value of an integer literal.
fn int_literal(text: &str) -> Option<i128> {
    let text: String = text
        .chars()
        .filter(|c| *c != '_')
        .collect::<String>()
        .to_ascii_lowercase();
    match text.get(..2) {
        Some("0x") => i128::from_str_radix(&text[2..], 16).ok(),
        Some("0b") => i128::from_str_radix(&text[2..], 2).ok(),
        Some("0o") => i128::from_str_radix(&text[2..], 8).ok(),
        _ if text.len() > 1 && text.starts_with('0') => i128::from_str_radix(&text[1..], 8).ok(),
        _ => text.parse().ok(),
    }
}

/// Length in bytes of a string literal.
fn string_length(text: &str) -> Option<i128> {
    if let Some(raw) = text.strip_prefix('`') {
        let raw = raw.strip_suffix('`')?;
        return Some(raw.bytes().filter(|b| *b != b'\r').count() as i128);
    }
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    let mut chars = inner.chars();
    let mut length = 0;
    while let Some(c) = chars.next() {
        if c != '\\' {
            length += c.len_utf8();
            continue;
        }
        let mut skip = |n: usize| -> Option<String> {
            let digits: String = chars.by_ref().take(n).collect();
            (digits.len() == n).then_some(digits)
        };
        let first = skip(1)?;
        length += match first.as_str() {
            "x" => {
                skip(2)?;
                1
            }
            "u" | "U" => {
                let digits = skip(if first == "u" { 4 } else { 8 })?;
                char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?.len_utf8()
            }
            "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" => {
                skip(2)?;
                1
            }
            _ => 1,
        };
    }
    Some(length as i128)
}

/// The value of a rune literal.
fn rune_literal(text: &str) -> Option<i128> {
    let inner = text.strip_prefix('\'')?.strip_suffix('\'')?;
    let Some(escape) = inner.strip_prefix('\\') else {
        let mut chars = inner.chars();
        let c = chars.next()?;
        return chars.next().is_none().then_some(u32::from(c).into());
    };
    let mut chars = escape.chars();
    Some(match chars.next()? {
        'a' => 7,
        'b' => 8,
        'f' => 12,
        'n' => 10,
        'r' => 13,
        't' => 9,
        'v' => 11,
        '\\' => 92,
        '\'' => 39,
        'x' | 'u' | 'U' => i128::from_str_radix(chars.as_str(), 16).ok()?,
        '0'..='7' => i128::from_str_radix(escape, 8).ok()?,
        _ => return None,
    })
}
