//! Conditions: expressions in CEL, the Common Expression Language, over the evidence.
//!
//! Only this module knows the language. An expression is pure, and its cost is bounded before it runs:
//! by its length and depth, by what it may build, and by an estimate over the data at hand.

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

/// Maximum depth of the parser; a parenthesis or an operator takes one or two levels.
const MAX_PARSER_DEPTH: u16 = 48;

/// Maximum number of parts of an expression after its macros are expanded.
const MAX_PARTS: u64 = 1024;

/// Maximum estimate of the steps of one evaluation, and of all evaluations of one decision.
const MAX_STEPS: u64 = 2_000_000;
const MAX_STEPS_OF_A_DECISION: u64 = 4 * MAX_STEPS;

/// The steps that are left for the conditions of one decision.
#[derive(Debug)]
pub(super) struct Steps(u64);

impl Steps {
    pub(super) const fn of_a_decision() -> Self {
        Self(MAX_STEPS_OF_A_DECISION)
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

/// An expression that is well-formed and whose cost is bounded.
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
    #[error("not a CEL expression: {0}")]
    Syntax(String),
    #[error("a condition must have at most {MAX_PARTS} parts")]
    Parts,
    #[error("there is no variable {0}; the variables are {list}", list = VARIABLES.join(", "))]
    Variable(String),
    #[error("there is no function {0}; the functions are {list}", list = cost::FUNCTIONS.join(", "))]
    Function(String),
    #[error("the pattern of matches() must be a literal text")]
    DynamicPattern,
    #[error("{0}")]
    Pattern(#[source] PatternError),
    /// A result whose size cannot be bounded
    #[error("a condition must not build lists, maps or longer texts for each element of a list")]
    Growth,
    /// A condition without variables that is not true
    #[error("can never be met: the condition is {0} whatever was signed")]
    Constant(String),
}

/// Why a condition does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionFailure {
    #[error("the condition does not hold")]
    False,
    #[error("the condition gives {0}, not true or false")]
    NotBoolean(String),
    #[error("the condition cannot be evaluated: {0}")]
    Failed(String),
    #[error("the condition would take too long on a statement of this size")]
    TooExpensive,
}

static STANDARD: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

impl Condition {
    /// Parses an expression over [`VARIABLES`] and bounds its cost.
    pub(super) fn new(source: &str) -> Result<Self, ConditionError> {
        if source.trim().is_empty() || source.len() > MAX_CONDITION_LENGTH {
            return Err(ConditionError::Length);
        }
        let expression = parse(source)?;
        let survey = cost::survey(&expression)?;
        let condition = Self {
            source: source.to_owned(),
            expression: Arc::new(expression),
            patterns: Arc::new(survey.patterns),
            cost: survey.cost,
        };
        if !survey.is_constant {
            return Ok(condition);
        }
        match condition.evaluate(Context::with_env(Arc::clone(&STANDARD))) {
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

    /// Whether the condition holds for one bundle. An error of the evaluation means that it does not.
    pub(super) fn check(
        &self,
        evidence: &Evidence,
        steps: &mut Steps,
    ) -> Result<(), ConditionFailure> {
        let predicate = variables::predicate(evidence);
        steps.take(self.cost.steps(variables::size(evidence, &predicate)))?;
        let mut context = Context::with_env(Arc::clone(&STANDARD));
        for (name, value) in variables::values(evidence, &predicate) {
            context.add_variable_from_value(name, value);
        }
        self.evaluate(context)
    }

    fn evaluate(&self, mut context: Context<'_, '_>) -> Result<(), ConditionFailure> {
        let patterns = Arc::clone(&self.patterns);
        let matches = move |This(text): This<Arc<String>>, pattern: Arc<String>| {
            let regex = patterns.get(pattern.as_str());
            regex
                .map(|regex| regex.is_match(&text))
                .ok_or_else(|| ExecutionError::function_error("matches", "an unknown pattern"))
        };
        context
            .add_function("matches", matches)
            .map_err(|error| ConditionFailure::Failed(error.to_string()))?;
        // The limits bound an evaluation. This is for a fault of the interpreter, which must count as
        // a condition that does not hold.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            Value::resolve(&self.expression, &context)
        }));
        match outcome {
            Ok(Ok(Value::Bool(true))) => Ok(()),
            Ok(Ok(Value::Bool(false))) => Err(ConditionFailure::False),
            Ok(Ok(other)) => Err(ConditionFailure::NotBoolean(other.type_of().to_string())),
            Ok(Err(error)) => Err(ConditionFailure::Failed(describe(&error))),
            Err(_) => Err(ConditionFailure::Failed(
                "the interpreter failed".to_owned(),
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
        failure.unwrap_or_else(|| "the parser failed".to_owned()),
    ))
}

/// One sentence without the values: they may be large, and come from the signed statement.
fn describe(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("there is no {key}"),
        ExecutionError::NoSuchOverload(overload) => overload.to_string(),
        ExecutionError::UndeclaredReference(name) => format!("there is no {name}"),
        ExecutionError::FunctionError { function, .. } => {
            format!("{function}() was given a value that it cannot use")
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "division by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "a number is too large".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "an index is outside its list".to_owned(),
        _ => "an operation does not fit its operands".to_owned(),
    }
}

#[cfg(test)]
mod tests;
