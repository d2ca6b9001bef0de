//! What a function said when it failed, told for the person who wrote it: the message, where in their code, and what to do.

use serde_json::Value;

use crate::problem::Problem;

/// How many lines of a stack trace are shown; the log has all of them.
const TRACE_LINES_MAX: usize = 8;

/// An error in the form that Lambda's languages share.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct FunctionError {
    kind: String,
    message: String,
    trace: Vec<String>,
}

impl FunctionError {
    /// Reads `errorType`, `errorMessage`, and the stack trace in either spelling. Anything else is its own message.
    pub(crate) fn read(payload: &Value) -> Self {
        let text = |name: &str| payload.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let trace = ["trace", "stackTrace"].iter().find_map(|name| payload.get(name)?.as_array());
        let trace = trace.into_iter().flatten().filter_map(Value::as_str).flat_map(str::lines);
        let error = Self {
            kind: text("errorType"),
            message: text("errorMessage"),
            trace: trace.map(str::trim_end).filter(|line| !line.is_empty()).map(ToOwned::to_owned).collect(),
        };
        if error.kind.is_empty() && error.message.is_empty() && !payload.is_null() {
            return Self { message: payload.to_string(), ..error };
        }
        error
    }

    /// For the screen.
    pub(crate) fn problem(&self, function: &str) -> Problem {
        let said = match (self.kind.is_empty(), self.message.is_empty()) {
            (true, true) => "it gave no reason".to_owned(),
            (true, false) => self.message.clone(),
            (false, true) => self.kind.clone(),
            (false, false) => format!("{}: {}", self.kind, self.message),
        };
        // A syntax error's message has several lines: the place, the code, a mark.
        let mut lines = said.lines();
        let first = lines.next().unwrap_or_default();
        let repeats =
            |line: &&String| line.contains(first) || (!self.message.is_empty() && line.ends_with(&self.message));
        let kind = format!("{}: ", self.kind);
        let trace = self.trace.iter().skip_while(repeats).filter(|line| !is_machinery(line)).take(TRACE_LINES_MAX);
        let lines = lines.filter(|line| !is_machinery(line));
        let problem = Problem::new(format!("{function} failed: {first}"))
            .show(lines)
            .show(trace.map(|line| shorten(line.strip_prefix(&kind).unwrap_or(line))));
        match self.advice(function) {
            Some(advice) => problem.advise(advice),
            None => problem.advise(format!("See what it printed: freehold logs {}", bare(function))),
        }
    }

    fn advice(&self, function: &str) -> Option<String> {
        let advice = match self.kind.as_str() {
            "Runtime.HandlerNotFound" => {
                "The file was loaded, and has no such function. The handler is written FILE.FUNCTION: is the function \
                 exported under exactly that name?"
                    .to_owned()
            }
            "Runtime.MalformedHandlerName" => {
                "The handler is written FILE.FUNCTION, such as index.handler: the file without its ending.".to_owned()
            }
            "Runtime.ImportModuleError" => {
                "The file, or something that it imports, is missing. Is it in the deployed folder, dependencies included?"
                    .to_owned()
            }
            "Runtime.UserCodeSyntaxError" => "Correct the code and deploy again; while `freehold up` watches the folder, \
                 saving is enough."
                .to_owned(),
            "Runtime.InvalidEntrypoint" => "Is `bootstrap` there, executable (chmod +x), and built for this machine?".to_owned(),
            "Runtime.OutOfMemory" => more_memory(function),
            // V8 gives up before the system's limit does.
            "Runtime.ExitError" if self.message.contains("signal: aborted") => {
                format!("If its log says \"heap out of memory\", it had too little. {}", more_memory(function))
            }
            "Runtime.ExitError" if self.message.contains("exit status") => {
                "Its process ended before it answered; its log may say why. A handler returns its answer and does not exit."
                    .to_owned()
            }
            "Sandbox.Timedout" => more_time(function),
            _ if self.message.contains("Task timed out") => more_time(function),
            _ => return None,
        };
        Some(format!("{advice}\nSee what it printed: freehold logs {}", bare(function)))
    }
}

fn more_memory(function: &str) -> String {
    format!(
        "Give it more memory: MemorySize in its template.yaml, in MB. Without a template:\n\
         aws lambda update-function-configuration --function-name {} --memory-size 512",
        bare(function)
    )
}

fn more_time(function: &str) -> String {
    format!(
        "Give it more time: Timeout in its template.yaml, in seconds. Without a template:\n\
         aws lambda update-function-configuration --function-name {} --timeout 30",
        bare(function)
    )
}

/// Lines about the language's own loader say nothing to the function's author; the log has them.
fn is_machinery(line: &str) -> bool {
    line.contains("/var/runtime/")
        || line.contains("(node:")
        || line.contains("at node:internal/")
        || line.trim() == "Require stack:"
}

/// Where a function's code lies inside its sandbox says nothing to its author.
fn shorten(line: &str) -> String {
    line.replace("file:///var/task/", "").replace("/var/task/", "")
}

fn bare(function: &str) -> &str {
    function.split(':').next().unwrap_or(function)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::screen::Look;

    fn check(payload: Value, expected: &str) {
        assert_eq!(FunctionError::read(&payload).problem("greet").render(&Look::plain()), expected);
    }

    #[test]
    fn javascript_and_python_are_told_alike() {
        check(
            json!({ "errorType": "TypeError", "errorMessage": "x is not a function",
                "trace": ["TypeError: x is not a function", "    at handler (file:///var/task/index.mjs:3:9)"] }),
            "error: greet failed: TypeError: x is not a function\n        at handler (index.mjs:3:9)\n  See what it printed: freehold logs greet\n",
        );
        check(
            json!({ "errorType": "KeyError", "errorMessage": "'name'", "requestId": "1",
                "stackTrace": ["  File \"/var/task/app.py\", line 4, in handler\n    return event['name']\n"] }),
            "error: greet failed: KeyError: 'name'\n      File \"app.py\", line 4, in handler\n        return event['name']\n  See what it printed: freehold logs greet\n",
        );
    }

    #[test]
    fn the_languages_own_machinery_is_left_out() {
        check(
            json!({ "errorType": "ReferenceError", "errorMessage": "x is not defined", "trace": [
                "ReferenceError: x is not defined", "    at inner (/var/task/index.js:2:1)",
                "    at Module._compile (node:internal/modules/cjs/loader:1521:14)", "    at load (/var/runtime/handler.js:19:24)",
                "    at outer (/var/task/index.js:5:1)"] }),
            "error: greet failed: ReferenceError: x is not defined\n        at inner (index.js:2:1)\n        at outer \
             (index.js:5:1)\n  See what it printed: freehold logs greet\n",
        );
    }

    #[test]
    fn a_syntax_error_shows_the_place() {
        let problem = FunctionError::read(&json!({
            "errorType": "Runtime.UserCodeSyntaxError", "errorMessage": "SyntaxError: Unexpected token ';'", "trace": [
                "Runtime.UserCodeSyntaxError: /var/task/index.mjs:2", "  return { a: 1;", "               ^", "",
                "SyntaxError: Unexpected token ';'", "    at load (node:internal/modules/esm/loader:497:12)"] }));
        let text = problem.problem("greet").render(&Look::plain());
        assert!(text.contains("    index.mjs:2\n      return { a: 1;\n                   ^\n"), "{text}");
    }

    #[test]
    fn faults_of_the_code_come_with_advice() {
        let advice = |kind: &str, message: &str| {
            FunctionError::read(&json!({ "errorType": kind, "errorMessage": message })).problem("greet").to_string()
        };
        assert!(
            advice("Runtime.HandlerNotFound", "app.nothing is undefined or not exported").contains("FILE.FUNCTION")
        );
        assert!(advice("Runtime.UserCodeSyntaxError", "SyntaxError: Unexpected token").contains("saving is enough"));
        assert!(
            advice("Sandbox.Timedout", "RequestId: 1 Error: Task timed out after 3.00 seconds").contains("Timeout")
        );
        assert!(advice("", "2026 1 Task timed out after 3.00 seconds").contains("Timeout"));
        assert!(advice("Runtime.MalformedHandlerName", "Bad handler").contains("FILE.FUNCTION"));
        assert!(advice("Runtime.ExitError", "Runtime exited with error: exit status 1").contains("does not exit"));
        assert!(advice("Runtime.ExitError", "Runtime exited with error: signal: aborted").contains("--memory-size"));
        assert!(advice("Runtime.ExitError", "Runtime exited").contains("freehold logs greet"));
    }

    #[test]
    fn anything_else_is_its_own_message() {
        check(json!("boom"), "error: greet failed: \"boom\"\n  See what it printed: freehold logs greet\n");
        check(Value::Null, "error: greet failed: it gave no reason\n  See what it printed: freehold logs greet\n");
    }
}
