//! Node kinds and fields of the grammar, resolved once into dense tables indexed by tree-sitter's numeric ids.

use std::sync::LazyLock;

use crate::ast::{BinaryOp, BranchKind, LiteralKind};
use crate::grammar::LANGUAGE;

/// What a node of the concrete tree means for lowering.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Punctuation that carries no meaning of its own.
    Skip,
    Comment,
    /// A leaf that is a name.
    Ident,
    Dot,
    Literal(LiteralKind),
    Token(Token),

    /// Not understood, or `ERROR`.
    Error,
    /// Deeper than [`crate::ast::MAX_DEPTH`].
    TooDeep,
    /// Its children count as children of its parent.
    Transparent,
    PackageClause,
    ImportDecl,
    ImportSpec,

    FuncDecl,
    MethodDecl,
    ConstDecl,
    VarDecl,
    TypeDecl,
    ValueSpec,
    TypeSpec,
    TypeAlias,
    ParamList,
    Param,
    VariadicParam,
    TypeParamList,
    TypeParam,

    Paren,
    Call,
    ArgList,
    Spread,
    Conversion,
    Instantiation,
    GenericType,
    TypeArgs,
    Selector,
    Index,
    Slice,
    TypeAssert,
    Composite,
    LiteralValue,
    KeyedElement,
    FuncLit,
    Unary,
    Binary,
    ExprList,

    Pointer,
    Array,
    AutoArray,
    SliceType,
    Struct,
    Field,
    Interface,
    MethodElem,
    TypeElem,
    Map,
    Chan,
    FuncType,
    Tilde,

    Block,
    ExprStmt,
    Send,
    Receive,
    Inc,
    Dec,
    Assign,
    Define,
    Labeled,
    Branch(BranchKind),
    Return,
    Go,
    Defer,
    Empty,
    If,
    For,
    ForClause,
    RangeClause,
    Switch,
    TypeSwitch,
    Select,
    ExprCase,
    TypeCase,
    DefaultCase,
    CommCase,
}

/// A token whose presence or place matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Token {
    Binary(BinaryOp),
    AssignOp(BinaryOp),
    Assign,
    Define,
    Not,
    Arrow,
    Colon,
    Chan,
}

/// Fields that tell children of one node apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FieldName {
    None,
    Name,
    Type,
    Value,
    Start,
    End,
    Capacity,
    Initializer,
    Condition,
    Update,
    Tag,
}

impl Kind {
    /// Whether the children's fields are looked up.
    pub(crate) fn wants_fields(self) -> bool {
        matches!(
            self,
            Kind::Slice
                | Kind::Field
                | Kind::Param
                | Kind::VariadicParam
                | Kind::ValueSpec
                | Kind::ForClause
        )
    }

    /// Whether tokens among the children are kept.
    pub(crate) fn wants_tokens(self) -> bool {
        matches!(
            self,
            Kind::Unary
                | Kind::Binary
                | Kind::Assign
                | Kind::Receive
                | Kind::RangeClause
                | Kind::Field
                | Kind::Chan
                | Kind::ExprCase
                | Kind::TypeCase
                | Kind::DefaultCase
                | Kind::CommCase
        )
    }

    /// Whether the last child is always punctuation that carries no meaning.
    pub(crate) fn is_closed(self) -> bool {
        matches!(
            self,
            Kind::ParamList
                | Kind::TypeParamList
                | Kind::Paren
                | Kind::ArgList
                | Kind::Spread
                | Kind::Conversion
                | Kind::Instantiation
                | Kind::TypeArgs
                | Kind::Index
                | Kind::Slice
                | Kind::TypeAssert
                | Kind::LiteralValue
                | Kind::Interface
                | Kind::Block
                | Kind::Inc
                | Kind::Dec
                | Kind::Empty
                | Kind::Switch
                | Kind::TypeSwitch
                | Kind::Select
        )
    }

    /// Whether the node becomes a level of the typed tree.
    pub(crate) fn is_level(self) -> bool {
        !matches!(
            self,
            Kind::Transparent | Kind::ExprList | Kind::ArgList | Kind::ParamList
        )
    }
}

/// tree-sitter's id of `ERROR` nodes.
pub(crate) const ERROR: u16 = u16::MAX;

#[derive(Debug)]
pub(crate) struct Tables {
    kinds: Vec<Kind>,
    fields: Vec<FieldName>,
}

impl Tables {
    #[inline]
    pub(crate) fn kind(&self, id: u16) -> Kind {
        // Also for ERROR, which lies past the end.
        self.kinds
            .get(usize::from(id))
            .copied()
            .unwrap_or(Kind::Error)
    }

    #[inline]
    pub(crate) fn field(&self, id: Option<std::num::NonZeroU16>) -> FieldName {
        id.and_then(|id| self.fields.get(usize::from(id.get())).copied())
            .unwrap_or(FieldName::None)
    }
}

pub(crate) static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let kinds = (0..LANGUAGE.node_kind_count())
        .map(|id| {
            let id = u16::try_from(id).unwrap_or(ERROR);
            let name = LANGUAGE.node_kind_for_id(id).unwrap_or_default();
            if LANGUAGE.node_kind_is_named(id) {
                named(name)
            } else {
                token(name)
            }
        })
        .collect();
    let fields = (0..=LANGUAGE.field_count())
        .map(|id| {
            let id = u16::try_from(id).unwrap_or_default();
            field(LANGUAGE.field_name_for_id(id).unwrap_or_default())
        })
        .collect();
    Tables { kinds, fields }
});

fn named(name: &str) -> Kind {
    match name {
        "comment" => Kind::Comment,
        "identifier" | "type_identifier" | "field_identifier" | "package_identifier"
        | "label_name" | "blank_identifier" | "nil" | "true" | "false" | "iota" => Kind::Ident,
        "dot" => Kind::Dot,
        "int_literal" => Kind::Literal(LiteralKind::Int),
        "float_literal" => Kind::Literal(LiteralKind::Float),
        "imaginary_literal" => Kind::Literal(LiteralKind::Imaginary),
        "rune_literal" => Kind::Literal(LiteralKind::Rune),
        "raw_string_literal" | "interpreted_string_literal" => Kind::Literal(LiteralKind::String),
        "source_file"
        | "import_spec_list"
        | "var_spec_list"
        | "field_declaration_list"
        | "statement_list"
        | "literal_element" => Kind::Transparent,
        "package_clause" => Kind::PackageClause,
        "import_declaration" => Kind::ImportDecl,
        "import_spec" => Kind::ImportSpec,
        "function_declaration" => Kind::FuncDecl,
        "method_declaration" => Kind::MethodDecl,
        "const_declaration" => Kind::ConstDecl,
        "var_declaration" => Kind::VarDecl,
        "type_declaration" => Kind::TypeDecl,
        "const_spec" | "var_spec" => Kind::ValueSpec,
        "type_spec" => Kind::TypeSpec,
        "type_alias" => Kind::TypeAlias,
        "parameter_list" => Kind::ParamList,
        "parameter_declaration" => Kind::Param,
        "variadic_parameter_declaration" => Kind::VariadicParam,
        "type_parameter_list" => Kind::TypeParamList,
        "type_parameter_declaration" => Kind::TypeParam,
        "parenthesized_expression" | "parenthesized_type" => Kind::Paren,
        "call_expression" => Kind::Call,
        "argument_list" => Kind::ArgList,
        "variadic_argument" => Kind::Spread,
        "type_conversion_expression" => Kind::Conversion,
        "type_instantiation_expression" => Kind::Instantiation,
        "generic_type" => Kind::GenericType,
        "type_arguments" => Kind::TypeArgs,
        "selector_expression" | "qualified_type" => Kind::Selector,
        "index_expression" => Kind::Index,
        "slice_expression" => Kind::Slice,
        "type_assertion_expression" => Kind::TypeAssert,
        "composite_literal" => Kind::Composite,
        "literal_value" => Kind::LiteralValue,
        "keyed_element" => Kind::KeyedElement,
        "func_literal" => Kind::FuncLit,
        "unary_expression" => Kind::Unary,
        "binary_expression" => Kind::Binary,
        "expression_list" => Kind::ExprList,
        "pointer_type" => Kind::Pointer,
        "array_type" => Kind::Array,
        "implicit_length_array_type" => Kind::AutoArray,
        "slice_type" => Kind::SliceType,
        "struct_type" => Kind::Struct,
        "field_declaration" => Kind::Field,
        "interface_type" => Kind::Interface,
        "method_elem" => Kind::MethodElem,
        "type_elem" | "type_constraint" => Kind::TypeElem,
        "map_type" => Kind::Map,
        "channel_type" => Kind::Chan,
        "function_type" => Kind::FuncType,
        "negated_type" => Kind::Tilde,
        "block" => Kind::Block,
        "expression_statement" => Kind::ExprStmt,
        "send_statement" => Kind::Send,
        "receive_statement" => Kind::Receive,
        "inc_statement" => Kind::Inc,
        "dec_statement" => Kind::Dec,
        "assignment_statement" => Kind::Assign,
        "short_var_declaration" => Kind::Define,
        "labeled_statement" | "empty_labeled_statement" => Kind::Labeled,
        "fallthrough_statement" => Kind::Branch(BranchKind::Fallthrough),
        "break_statement" => Kind::Branch(BranchKind::Break),
        "continue_statement" => Kind::Branch(BranchKind::Continue),
        "goto_statement" => Kind::Branch(BranchKind::Goto),
        "return_statement" => Kind::Return,
        "go_statement" => Kind::Go,
        "defer_statement" => Kind::Defer,
        "empty_statement" => Kind::Empty,
        "if_statement" => Kind::If,
        "for_statement" => Kind::For,
        "for_clause" => Kind::ForClause,
        "range_clause" => Kind::RangeClause,
        "expression_switch_statement" => Kind::Switch,
        "type_switch_statement" => Kind::TypeSwitch,
        "select_statement" => Kind::Select,
        "expression_case" => Kind::ExprCase,
        "type_case" => Kind::TypeCase,
        "default_case" => Kind::DefaultCase,
        "communication_case" => Kind::CommCase,
        _ => Kind::Error,
    }
}

fn token(name: &str) -> Kind {
    if let Some(op) = binary(name) {
        return Kind::Token(Token::Binary(op));
    }
    let assigned = name.strip_suffix('=').and_then(binary);
    Kind::Token(match name {
        "=" => Token::Assign,
        ":=" => Token::Define,
        "!" => Token::Not,
        "<-" => Token::Arrow,
        ":" => Token::Colon,
        "chan" => Token::Chan,
        _ => match assigned {
            Some(op) => Token::AssignOp(op),
            None => return Kind::Skip,
        },
    })
}

fn binary(name: &str) -> Option<BinaryOp> {
    Some(match name {
        "+" => BinaryOp::Add,
        "-" => BinaryOp::Sub,
        "*" => BinaryOp::Mul,
        "/" => BinaryOp::Div,
        "%" => BinaryOp::Rem,
        "&" => BinaryOp::And,
        "|" => BinaryOp::Or,
        "^" => BinaryOp::Xor,
        "&^" => BinaryOp::AndNot,
        "<<" => BinaryOp::Shl,
        ">>" => BinaryOp::Shr,
        "&&" => BinaryOp::LogicalAnd,
        "||" => BinaryOp::LogicalOr,
        "==" => BinaryOp::Eq,
        "!=" => BinaryOp::Ne,
        "<" => BinaryOp::Lt,
        "<=" => BinaryOp::Le,
        ">" => BinaryOp::Gt,
        ">=" => BinaryOp::Ge,
        _ => return None,
    })
}

fn field(name: &str) -> FieldName {
    match name {
        "name" => FieldName::Name,
        "type" => FieldName::Type,
        "value" => FieldName::Value,
        "start" => FieldName::Start,
        "end" => FieldName::End,
        "capacity" => FieldName::Capacity,
        "initializer" => FieldName::Initializer,
        "condition" => FieldName::Condition,
        "update" => FieldName::Update,
        "tag" => FieldName::Tag,
        _ => FieldName::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every named kind of the grammar that can stand in a tree is known here; supertypes and the parts of strings are not nodes
    /// that lowering meets.
    #[test]
    fn knows_every_kind() {
        let known = [
            "ERROR",
            "escape_sequence",
            "raw_string_literal_content",
            "interpreted_string_literal_content",
        ];
        for id in 0..LANGUAGE.node_kind_count() {
            let id = id as u16;
            let name = LANGUAGE.node_kind_for_id(id).unwrap();
            if LANGUAGE.node_kind_is_named(id)
                && LANGUAGE.node_kind_is_visible(id)
                && !known.contains(&name)
            {
                assert_ne!(named(name), Kind::Error, "{name}");
            }
        }
        assert_eq!(TABLES.kind(ERROR), Kind::Error);
    }
}
