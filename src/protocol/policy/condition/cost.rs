//! Static analysis of an expression: the names it uses, and an upper bound on its cost.
//!
//! The only loops in CEL are macros over lists and maps; there is no recursion. The cost is therefore
//! at most the number of nodes, each multiplied by the lengths of the lists around it, provided that
//! the expression cannot build values that are larger than its input. [`ConditionError::Growth`]
//! rejects expressions that could.
//!
//! Arithmetic saturates: an estimate of `u64::MAX` exceeds every limit.

use std::collections::BTreeMap;

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};
use cel::parser::Expression;
use regex::Regex;

use super::{ConditionError, MAX_NODES, VARIABLES};
use crate::protocol::policy::matcher::compile;

/// Numbers of nodes of an expression, by nesting level of macros.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    levels: Vec<Level>,
    /// Total number of nodes. An expression can add at most this much to the size of its data.
    nodes: u64,
    /// Number of `+` outside macros. Each may double the size of a value that a later node reads.
    joins: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Level {
    /// Nodes that cost one step.
    light: u64,
    /// Nodes that may read a whole value.
    heavy: u64,
}

/// Units of size that the interpreter compares or copies in the time of one step.
const SIZE_PER_STEP: u64 = 16;

impl Cost {
    /// Upper bound on the steps for variables of this size; see [`super::variables::size`].
    pub(super) fn steps(&self, size: u64) -> u64 {
        let size = size
            .saturating_add(self.nodes)
            .saturating_mul(self.joins.saturating_add(1));
        let mut times = 1_u64;
        let mut steps = 0_u64;
        for level in &self.levels {
            let whole = size / SIZE_PER_STEP + 1;
            let once = level
                .light
                .saturating_add(level.heavy.saturating_mul(whole));
            steps = steps.saturating_add(once.saturating_mul(times));
            times = times.saturating_mul(size);
        }
        steps
    }
}

/// Result of the static analysis.
pub(super) struct Analysis {
    pub(super) cost: Cost,
    /// Compiled patterns of `matches()`, by source.
    pub(super) patterns: BTreeMap<String, Regex>,
    /// Whether the expression uses no variables.
    pub(super) is_constant: bool,
}

pub(super) fn analyze(expression: &Expression) -> Result<Analysis, ConditionError> {
    let mut analyzer = Analyzer {
        analysis: Analysis {
            cost: Cost::default(),
            patterns: BTreeMap::new(),
            is_constant: true,
        },
        bound: Vec::new(),
    };
    analyzer.visit(expression, 0)?;
    Ok(analyzer.analysis)
}

struct Analyzer<'a> {
    analysis: Analysis,
    /// Names bound by the macros around the current node.
    bound: Vec<&'a str>,
}

impl<'a> Analyzer<'a> {
    fn visit(&mut self, node: &'a Expression, level: usize) -> Result<(), ConditionError> {
        self.count(level, false)?;
        match &node.expr {
            Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.visit_name(name),
            Expr::Select(select) => self.visit(&select.operand, level),
            Expr::Call(call) => self.visit_call(call, level),
            Expr::Comprehension(comprehension) => self.visit_comprehension(comprehension, level),
            Expr::List(list) => {
                let constant = list.elements.iter().all(is_literal);
                allow_growth(level == 0 || constant)?;
                list.elements
                    .iter()
                    .try_for_each(|one| self.visit(one, level))
            }
            Expr::Map(map) => {
                allow_growth(level == 0)?;
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        self.visit(&entry.key, level)?;
                        self.visit(&entry.value, level)?;
                    }
                }
                Ok(())
            }
            Expr::Struct(structure) => Err(ConditionError::Variable(structure.type_name.clone())),
            Expr::Unspecified => Err(ConditionError::Syntax("an empty expression".to_owned())),
        }
    }

    fn visit_name(&mut self, name: &str) -> Result<(), ConditionError> {
        let plain = name.trim_start_matches('.');
        if self.bound.contains(&plain) || TYPES.contains(&plain) {
            return Ok(());
        }
        if !VARIABLES.contains(&plain) {
            return Err(ConditionError::Variable(plain.to_owned()));
        }
        self.analysis.is_constant = false;
        Ok(())
    }

    fn visit_call(&mut self, call: &'a CallExpr, level: usize) -> Result<(), ConditionError> {
        let name = call.func_name.as_str();
        if !OPERATORS.contains(&name) && !FUNCTIONS.contains(&name) {
            return Err(ConditionError::Function(name.to_owned()));
        }
        if is_heavy(call) {
            self.count(level, true)?;
        }
        if name == operators::ADD {
            allow_growth(level == 0 || call.args.iter().any(is_literal))?;
            self.analysis.cost.joins += u64::from(level == 0);
        }
        if name == "matches" {
            self.visit_pattern(call)?;
        }
        let nodes = call.target.as_deref().into_iter().chain(&call.args);
        for node in nodes {
            self.visit(node, level)?;
        }
        Ok(())
    }

    /// Compiles a pattern, so that malformed ones are rejected when the policy is loaded.
    fn visit_pattern(&mut self, call: &CallExpr) -> Result<(), ConditionError> {
        let Some(Expr::Literal(LiteralValue::String(text))) = call.args.last().map(|p| &p.expr)
        else {
            return Err(ConditionError::DynamicPattern);
        };
        let regex = compile(text.inner()).map_err(ConditionError::Pattern)?;
        self.analysis
            .patterns
            .insert(text.inner().to_owned(), regex);
        Ok(())
    }

    fn visit_comprehension(
        &mut self,
        macros: &'a ComprehensionExpr,
        level: usize,
    ) -> Result<(), ConditionError> {
        // With any other initial value, such as a variable, the macro could square the value's size.
        let starts_empty = match &macros.accu_init.expr {
            Expr::Literal(_) => true,
            Expr::List(list) => list.elements.is_empty(),
            _ => false,
        };
        allow_growth(starts_empty)?;
        self.visit(&macros.iter_range, level)?;
        let outside = self.bound.len();
        self.bound.push(&macros.iter_var);
        self.bound.extend(macros.iter_var2.as_deref());
        self.bound.push(&macros.accu_var);
        let inner = level + 1;
        self.visit(&macros.loop_cond, inner)?;
        self.visit_step(&macros.loop_step, &macros.accu_var, inner)?;
        self.visit(&macros.result, level)?;
        self.bound.truncate(outside);
        Ok(())
    }

    /// `map` and `filter` append one element per step, so the result is not longer than the input list.
    fn visit_step(
        &mut self,
        step: &'a Expression,
        accumulator: &str,
        level: usize,
    ) -> Result<(), ConditionError> {
        let Expr::Call(call) = &step.expr else {
            return self.visit(step, level);
        };
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::CONDITIONAL, [test, then, otherwise]) => {
                self.visit(test, level)?;
                self.visit_step(then, accumulator, level)?;
                self.visit(otherwise, level)
            }
            (
                operators::ADD,
                [
                    Expression {
                        expr: Expr::Ident(name),
                        ..
                    },
                    added,
                ],
            ) if name == accumulator => {
                self.count(level, true)?;
                match &added.expr {
                    Expr::List(list) => list
                        .elements
                        .iter()
                        .try_for_each(|one| self.visit(one, level)),
                    _ => self.visit(added, level),
                }
            }
            _ => self.visit(step, level),
        }
    }

    fn count(&mut self, level: usize, heavy: bool) -> Result<(), ConditionError> {
        let cost = &mut self.analysis.cost;
        cost.nodes += 1;
        if cost.nodes > MAX_NODES {
            return Err(ConditionError::TooManyNodes);
        }
        if cost.levels.len() <= level {
            cost.levels.resize(level + 1, Level::default());
        }
        if let Some(level) = cost.levels.get_mut(level) {
            let counter = if heavy {
                &mut level.heavy
            } else {
                &mut level.light
            };
            *counter += 1;
        }
        Ok(())
    }
}

const fn allow_growth(allowed: bool) -> Result<(), ConditionError> {
    if allowed {
        Ok(())
    } else {
        Err(ConditionError::Growth)
    }
}

const fn is_literal(node: &Expression) -> bool {
    matches!(node.expr, Expr::Literal(_))
}

/// Whether the cost of a call depends on the size of a value rather than that of a literal.
fn is_heavy(call: &CallExpr) -> bool {
    let name = call.func_name.as_str();
    if LIGHT.contains(&name) {
        return false;
    }
    let nodes = || call.target.as_deref().into_iter().chain(&call.args);
    let bounded_by_literal = BOUNDED_BY_LITERAL.contains(&name) && nodes().any(is_literal);
    let among_literals = name == operators::IN
        && matches!(call.args.as_slice(), [_, Expression { expr: Expr::List(list), .. }]
            if list.elements.iter().all(is_literal));
    !bounded_by_literal && !among_literals
}

/// Calls that read a single number, boolean or member.
const LIGHT: [&str; 7] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::NEGATE,
    operators::INDEX,
    operators::NOT_STRICTLY_FALSE,
];

/// Calls that read at most as much as the shorter of their two operands.
const BOUNDED_BY_LITERAL: [&str; 8] = [
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::LESS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::GREATER_EQUALS,
    "startsWith",
    "endsWith",
];

const OPERATORS: [&str; 20] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::SUBSTRACT,
    operators::ADD,
    operators::MULTIPLY,
    operators::DIVIDE,
    operators::MODULO,
    operators::EQUALS,
    operators::NOT_EQUALS,
    operators::GREATER_EQUALS,
    operators::LESS_EQUALS,
    operators::GREATER,
    operators::LESS,
    operators::NEGATE,
    operators::INDEX,
    operators::IN,
    operators::NOT_STRICTLY_FALSE,
    operators::HAS,
];

pub(super) const FUNCTIONS: [&str; 24] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "bool",
    "bytes",
    "double",
    "dyn",
    "duration",
    "int",
    "string",
    "timestamp",
    "type",
    "uint",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMinutes",
    "getMonth",
    "getSeconds",
];

/// Type names, for comparison with `type(…)`.
const TYPES: [&str; 10] = [
    "bool",
    "bytes",
    "double",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
    "uint",
];
