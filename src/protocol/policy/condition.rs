//! Conditions: expressions over the evidence in CEL, the Common Expression Language.
//!
//! No other module uses CEL. Expressions are pure. Their cost is bounded before they run: by limits on
//! length and depth, by restrictions on what they may build, and by an estimate for the given data.

mod cost;
mod variables;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use cel::extractors::This;
use cel::parser::{Expression, Parser};
use cel::{Context, Env, ExecutionError, Value};
use regex::Regex;

use super::matcher::PatternError;
use crate::protocol::evidence::Evidence;
use cost::Cost;

/// Maximum length of an expression, in bytes.
pub(super) const MAX_CONDITION_LENGTH: usize = 4096;

/// Maximum recursion depth of the parser. A parenthesis or an operator uses one or two levels.
const MAX_PARSER_DEPTH: u16 = 48;

/// Maximum number of nodes of an expression after macro expansion.
const MAX_NODES: u64 = 1024;

/// Maximum estimated steps of one evaluation, and of all evaluations of one decision.
const MAX_STEPS: u64 = 2_000_000;
const MAX_STEPS_PER_DECISION: u64 = 4 * MAX_STEPS;

/// Remaining steps for the conditions of one decision.
#[derive(Debug)]
pub(super) struct StepBudget(u64);

impl StepBudget {
    pub(super) const fn per_decision() -> Self {
        Self(MAX_STEPS_PER_DECISION)
    }

    fn take(&mut self, steps: u64) -> Result<(), ConditionFailure> {
        let left = self.0.checked_sub(steps).filter(|_| steps <= MAX_STEPS);
        self.0 = left.ok_or(ConditionFailure::TooExpensive)?;
        Ok(())
    }
}

pub(super) const VARIABLES: [&str; 9] = [
    "identity",
    "certificate",
    "claims",
    "key",
    "times",
    "entries",
    "artifact",
    "statement",
    "predicate",
];

/// A well-formed expression whose cost is bounded.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    source: String,
    expression: Arc<Expression>,
    patterns: Arc<BTreeMap<String, Regex>>,
    cost: Cost,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ConditionError {
    #[error("a condition must have 1 to {MAX_CONDITION_LENGTH} bytes")]
    Length,
    #[error("invalid CEL expression: {0}")]
    Syntax(String),
    #[error("a condition must have at most {MAX_NODES} nodes after macro expansion")]
    TooManyNodes,
    #[error("unknown variable {0}; available variables: {list}", list = VARIABLES.join(", "))]
    Variable(String),
    #[error("unknown function {0}; available functions: {list}", list = cost::FUNCTIONS.join(", "))]
    Function(String),
    #[error("the pattern of matches() must be a string literal")]
    DynamicPattern,
    #[error("{0}")]
    Pattern(#[source] PatternError),
    /// The size of the result cannot be bounded.
    #[error("a condition must not build lists, maps or longer texts for each element of a list")]
    Growth,
    /// A condition without variables that is not true.
    #[error("can never be met: the condition has no variables, and its result is {0}")]
    Constant(String),
}

/// Why a condition is not met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionFailure {
    #[error("the condition is false")]
    False,
    #[error("the condition returns {0} instead of bool")]
    NotBoolean(String),
    #[error("the condition cannot be evaluated: {0}")]
    Failed(String),
    #[error("the condition is too expensive for a statement of this size")]
    TooExpensive,
}

static STANDARD_LIBRARY: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

impl Condition {
    /// Parses an expression over [`VARIABLES`] and bounds its cost.
    pub(super) fn new(source: &str) -> Result<Self, ConditionError> {
        if source.trim().is_empty() || source.len() > MAX_CONDITION_LENGTH {
            return Err(ConditionError::Length);
        }
        let expression = parse(source)?;
        let analysis = cost::analyze(&expression)?;
        let condition = Self {
            source: source.to_owned(),
            expression: Arc::new(expression),
            patterns: Arc::new(analysis.patterns),
            cost: analysis.cost,
        };
        if !analysis.is_constant {
            return Ok(condition);
        }
        match condition.evaluate(Context::with_env(Arc::clone(&STANDARD_LIBRARY))) {
            Ok(()) => Ok(condition),
            Err(failure) => Err(ConditionError::Constant(match failure {
                ConditionFailure::False => "false".to_owned(),
                other => other.to_string(),
            })),
        }
    }

    pub(super) fn as_str(&self) -> &str {
        &self.source
    }

    /// Evaluates the condition for one bundle. An evaluation error means that the condition is not met.
    pub(super) fn check(
        &self,
        evidence: &Evidence,
        steps: &mut StepBudget,
    ) -> Result<(), ConditionFailure> {
        let predicate = variables::predicate(evidence);
        steps.take(self.cost.steps(variables::size(evidence, &predicate)))?;
        let mut context = Context::with_env(Arc::clone(&STANDARD_LIBRARY));
        for (name, value) in variables::values(evidence, &predicate) {
            context.add_variable_from_value(name, value);
        }
        self.evaluate(context)
    }

    fn evaluate(&self, mut context: Context<'_, '_>) -> Result<(), ConditionFailure> {
        let patterns = Arc::clone(&self.patterns);
        let matches = move |This(text): This<Arc<String>>, pattern: Arc<String>| {
            let regex = patterns.get(pattern.as_str());
            regex.map(|regex| regex.is_match(&text)).ok_or_else(|| {
                ExecutionError::function_error("matches", "the pattern was not compiled")
            })
        };
        context
            .add_function("matches", matches)
            .map_err(|error| ConditionFailure::Failed(error.to_string()))?;
        // The limits should prevent panics. If the interpreter panics anyway, the condition is not met.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            Value::resolve(&self.expression, &context)
        }));
        match outcome {
            Ok(Ok(Value::Bool(true))) => Ok(()),
            Ok(Ok(Value::Bool(false))) => Err(ConditionFailure::False),
            Ok(Ok(other)) => Err(ConditionFailure::NotBoolean(other.type_of().to_string())),
            Ok(Err(error)) => Err(ConditionFailure::Failed(describe(&error))),
            Err(_) => Err(ConditionFailure::Failed(
                "the interpreter panicked".to_owned(),
            )),
        }
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Condition {}

fn parse(source: &str) -> Result<Expression, ConditionError> {
    let parser = Parser::new()
        .max_recursion_depth(MAX_PARSER_DEPTH)
        .error_recovery_limit(1);
    let parsed = catch_unwind(AssertUnwindSafe(|| parser.parse(source)));
    let failure = match parsed {
        Ok(Ok(expression)) => return Ok(expression),
        Ok(Err(errors)) => errors.errors.into_iter().next().map(|error| {
            let (line, column) = error.pos;
            format!("line {line}, column {column}: {}", error.msg)
        }),
        Err(_) => None,
    };
    Err(ConditionError::Syntax(
        failure.unwrap_or_else(|| "the parser panicked".to_owned()),
    ))
}

/// Describes an error without its values, which may be large and come from the signed statement.
fn describe(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("no such key: {key}"),
        ExecutionError::NoSuchOverload(overload) => overload.to_string(),
        ExecutionError::UndeclaredReference(name) => format!("no such name: {name}"),
        ExecutionError::FunctionError { function, .. } => {
            format!("invalid argument of {function}()")
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "division by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "integer overflow".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "index out of bounds".to_owned(),
        _ => "an operation does not support its operands".to_owned(),
    }
}

#[cfg(test)]
mod tests;
