//! What an expression names and what it may cost, determined before it runs.
//!
//! An expression has no loops but its macros over lists and maps, no recursion and no variables of its
//! own. Its cost is therefore bounded by its parts, each multiplied by the lengths of the lists around
//! it, as long as it cannot build a value that is larger than its data: hence
//! [`ConditionError::Growth`].
//!
//! Sums and products saturate: an estimate beyond the range of u64 is too large in any case.

use std::collections::BTreeMap;

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};
use cel::parser::Expression;
use regex::Regex;

use super::{ConditionError, MAX_PARTS, VARIABLES};
use crate::protocol::policy::matcher::compile;

/// The number of parts of an expression, by the number of lists around them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cost {
    levels: Vec<Level>,
    /// All parts: the most that an expression can add to the size of its data.
    parts: u64,
    /// The number of `+` outside macros: each may double the size of what a later part looks at.
    joins: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Level {
    /// Parts that take one step.
    light: u64,
    /// Parts that may look at a whole value.
    heavy: u64,
}

/// How much of a value the interpreter compares or copies in the time of one step.
const SIZE_OF_A_STEP: u64 = 16;

impl Cost {
    /// The maximum number of steps over variables of this size; see [`super::variables::size`].
    pub(super) fn steps(&self, size: u64) -> u64 {
        let size = size
            .saturating_add(self.parts)
            .saturating_mul(self.joins.saturating_add(1));
        let mut times = 1_u64;
        let mut steps = 0_u64;
        for level in &self.levels {
            let whole = size / SIZE_OF_A_STEP + 1;
            let once = level
                .light
                .saturating_add(level.heavy.saturating_mul(whole));
            steps = steps.saturating_add(once.saturating_mul(times));
            times = times.saturating_mul(size);
        }
        steps
    }
}

/// What was determined about an expression before it runs.
pub(super) struct Survey {
    pub(super) cost: Cost,
    /// The compiled patterns of `matches()`.
    pub(super) patterns: BTreeMap<String, Regex>,
    /// Whether it has no variables.
    pub(super) is_constant: bool,
}

pub(super) fn survey(expression: &Expression) -> Result<Survey, ConditionError> {
    let mut surveyor = Surveyor {
        survey: Survey {
            cost: Cost::default(),
            patterns: BTreeMap::new(),
            is_constant: true,
        },
        bound: Vec::new(),
    };
    surveyor.visit(expression, 0)?;
    Ok(surveyor.survey)
}

struct Surveyor<'a> {
    survey: Survey,
    /// The names that the macros around the current part bind.
    bound: Vec<&'a str>,
}

impl<'a> Surveyor<'a> {
    fn visit(&mut self, part: &'a Expression, level: usize) -> Result<(), ConditionError> {
        self.count(level, false)?;
        match &part.expr {
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
            Expr::Unspecified => Err(ConditionError::Syntax("an empty part".to_owned())),
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
        self.survey.is_constant = false;
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
            self.survey.cost.joins += u64::from(level == 0);
        }
        if name == "matches" {
            self.visit_pattern(call)?;
        }
        let parts = call.target.as_deref().into_iter().chain(&call.args);
        for part in parts {
            self.visit(part, level)?;
        }
        Ok(())
    }

    /// A pattern is compiled once, when the policy is loaded.
    fn visit_pattern(&mut self, call: &CallExpr) -> Result<(), ConditionError> {
        let Some(Expr::Literal(LiteralValue::String(text))) = call.args.last().map(|p| &p.expr)
        else {
            return Err(ConditionError::DynamicPattern);
        };
        let regex = compile(text.inner()).map_err(ConditionError::Pattern)?;
        self.survey.patterns.insert(text.inner().to_owned(), regex);
        Ok(())
    }

    fn visit_comprehension(
        &mut self,
        macros: &'a ComprehensionExpr,
        level: usize,
    ) -> Result<(), ConditionError> {
        // Any other initial value could name a variable, and the macro could square its size.
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

    /// `map` and `filter` add one element in each step, so their result is not longer than their list.
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
        let cost = &mut self.survey.cost;
        cost.parts += 1;
        if cost.parts > MAX_PARTS {
            return Err(ConditionError::Parts);
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

const fn is_literal(part: &Expression) -> bool {
    matches!(part.expr, Expr::Literal(_))
}

/// Whether a call may look at a whole value, not only at as much as a literal has.
fn is_heavy(call: &CallExpr) -> bool {
    let name = call.func_name.as_str();
    if LIGHT.contains(&name) {
        return false;
    }
    let parts = || call.target.as_deref().into_iter().chain(&call.args);
    let bounded_by_literal = BOUNDED_BY_LITERAL.contains(&name) && parts().any(is_literal);
    let among_literals = name == operators::IN
        && matches!(call.args.as_slice(), [_, Expression { expr: Expr::List(list), .. }]
            if list.elements.iter().all(is_literal));
    !bounded_by_literal && !among_literals
}

/// Calls that look at one number, truth or member only.
const LIGHT: [&str; 7] = [
    operators::CONDITIONAL,
    operators::LOGICAL_AND,
    operators::LOGICAL_OR,
    operators::LOGICAL_NOT,
    operators::NEGATE,
    operators::INDEX,
    operators::NOT_STRICTLY_FALSE,
];

/// Calls that look at no more than the shorter of their two operands.
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

/// Names of types, for comparisons with `type(…)`.
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
