//! Conditions: expressions in CEL, the Common Expression Language, over what was proved.
//!
//! The one home of the language here. An expression is pure, and its cost is bounded before it runs:
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

use super::Evidence;
use super::pattern::PatternError;
use cost::Cost;

/// The longest expression, in bytes.
pub(crate) const MAX_CONDITION_LENGTH: usize = 4096;

/// How deep the parser may go; a parenthesis or an operator costs one or two.
const MAX_PARSER_DEPTH: u16 = 48;

/// The most parts an expression may have after its macros are expanded.
const MAX_PARTS: u64 = 1024;

/// The most steps that one evaluation may take by the estimate, and all those of one decision.
const MAX_STEPS: u64 = 2_000_000;
const MAX_STEPS_OF_A_DECISION: u64 = 4 * MAX_STEPS;

/// How many steps are left to the conditions of one decision.
#[derive(Debug)]
pub(crate) struct Steps(u64);

impl Steps {
    /// As many as one decision has, over all its bundles.
    pub(crate) const fn of_a_decision() -> Self {
        Self(MAX_STEPS_OF_A_DECISION)
    }

    fn take(&mut self, steps: u64) -> Result<(), ConditionFailure> {
        let left = self.0.checked_sub(steps).filter(|_| steps <= MAX_STEPS);
        self.0 = left.ok_or(ConditionFailure::TooExpensive)?;
        Ok(())
    }
}

/// The variables of every condition.
pub(crate) const VARIABLES: [&str; 9] = [
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

/// A condition that is known to be well formed and bounded.
#[derive(Clone, Debug)]
pub(crate) struct Condition {
    source: String,
    expression: Arc<Expression>,
    patterns: Arc<BTreeMap<String, Regex>>,
    cost: Cost,
}

/// Why an expression is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// Empty, or over its limit
    #[error("a condition must have 1 to {MAX_CONDITION_LENGTH} bytes")]
    Length,
    /// No CEL
    #[error("no CEL expression: {0}")]
    Syntax(String),
    /// Too many parts
    #[error("a condition must have at most {MAX_PARTS} parts")]
    Parts,
    /// A variable that conditions do not have
    #[error("there is no variable {0}; the variables are {list}", list = VARIABLES.join(", "))]
    Variable(String),
    /// A function that conditions do not have
    #[error("there is no function {0}; the functions are {list}", list = cost::function_list())]
    Function(String),
    /// A pattern that is not written out
    #[error("the pattern of matches() must be written out as a text")]
    DynamicPattern,
    /// A pattern that cannot be used
    #[error("{0}")]
    Pattern(#[source] PatternError),
    /// Something whose size could not be bounded
    #[error("a condition must not build lists, maps or longer texts for each element of a list")]
    Growth,
    /// A condition that looks at nothing and is not true
    #[error("can never be met: the condition is {0} whatever was signed")]
    Constant(String),
}

/// Why a condition did not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionFailure {
    /// It is false
    #[error("the condition does not hold")]
    False,
    /// It is neither true nor false
    #[error("the condition gives {0}, not true or false")]
    NotBoolean(String),
    /// It asks for what is not there, or for what cannot be done
    #[error("the condition cannot be evaluated: {0}")]
    Failed(String),
    /// Too much data for this expression
    #[error("the condition would take too long on a statement of this size")]
    TooExpensive,
}

static STANDARD: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

impl Condition {
    /// Reads an expression.
    ///
    /// # Errors
    /// Anything but CEL over [`VARIABLES`] whose cost can be bounded.
    pub(crate) fn new(source: &str) -> Result<Self, ConditionError> {
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

    /// The expression as it was written.
    pub(crate) fn as_str(&self) -> &str {
        &self.source
    }

    /// Whether the condition holds for one bundle.
    ///
    /// # Errors
    /// It does not, or there is no telling: an error is never a yes.
    pub(crate) fn check(
        &self,
        evidence: &Evidence,
        steps: &mut Steps,
    ) -> Result<(), ConditionFailure> {
        steps.take(self.cost.steps(variables::size(evidence)))?;
        let mut context = Context::with_env(Arc::clone(&STANDARD));
        for (name, value) in variables::values(evidence) {
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
        // The limits are what bounds an evaluation; this keeps a fault of the interpreter from
        // becoming anything but a no.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            Value::resolve(&self.expression, &context)
        }));
        match outcome {
            Ok(Ok(Value::Bool(true))) => Ok(()),
            Ok(Ok(Value::Bool(false))) => Err(ConditionFailure::False),
            Ok(Ok(other)) => Err(ConditionFailure::NotBoolean(other.type_of().to_string())),
            Ok(Err(error)) => Err(ConditionFailure::Failed(describe(&error))),
            Err(_) => Err(ConditionFailure::Failed(
                "the interpreter gave up".to_owned(),
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
        failure.unwrap_or_else(|| "the parser gave up".to_owned()),
    ))
}

/// One sentence without the values: they may be large, and they are not ours to print.
fn describe(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(key) => format!("there is no {key}"),
        ExecutionError::NoSuchOverload(overload) => overload.to_string(),
        ExecutionError::UndeclaredReference(name) => format!("there is no {name}"),
        ExecutionError::FunctionError { function, .. } => {
            format!("{function}() was given what it cannot use")
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "division by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "a number is too large".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "an index lies outside its list".to_owned(),
        _ => "an operation does not fit its operands".to_owned(),
    }
}

#[cfg(test)]
mod tests;
